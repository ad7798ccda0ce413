"""The same verbs from a shell; each module is loaded when its verb is called."""

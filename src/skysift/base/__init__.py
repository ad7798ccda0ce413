"""The ground: errors, options, plug-ins, settings, parallel work, provenance; it knows no astronomy."""

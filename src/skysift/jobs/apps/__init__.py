"""What jobs can do: one class an app, run by the worker, found by the index under the kind "app"."""

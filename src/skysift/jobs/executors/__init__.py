"""Where workers run: one class an executor, found by the index under the kind "job-executor"."""

"""python -m bench.extended: how well extended sources are found and measured, by finder, shape and brightness."""

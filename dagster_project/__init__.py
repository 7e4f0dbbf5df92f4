"""Left empty: the command line and `python -m dagster_project.definitions` decide what is loaded, and when."""

"""The rules of the workflow: a file for each, whose function does its work."""

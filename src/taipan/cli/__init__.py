"""The command line: one file a command, which says its words and hands them to the library.

Nothing is computed here. What a command needs is imported when it runs, so that help and
suggestions come at once.
"""

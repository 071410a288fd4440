"""Backgrounds estimated from data: a file a method, which the registry finds by itself."""

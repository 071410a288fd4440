"""Reading and fetching files over HTTP(S) and XRootD, from several mirrors, in bounded time."""

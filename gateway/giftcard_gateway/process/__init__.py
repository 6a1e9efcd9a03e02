"""One gateway process, or several on one port: assembled, started, watched and stopped."""

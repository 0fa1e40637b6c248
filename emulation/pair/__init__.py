"""Two endpoints of one engine in virtual time, between them a medium that does whatever it is told."""

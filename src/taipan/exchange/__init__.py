"""Statistical models of other programs, in and out, each with a certificate."""

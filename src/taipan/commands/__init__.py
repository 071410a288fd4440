"""What the commands of ``taipan`` do, beside what is done inside one room of the library."""

"""How a stage is run: its function's signature is the interface, for Snakemake and by hand."""

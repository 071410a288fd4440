"""Event selection: ROOT files to Parquet columns and cutflows."""

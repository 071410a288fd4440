"""Analysis modules: object selection and derived quantities, one module an analysis."""

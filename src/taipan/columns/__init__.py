"""Events as columns: objects, quantities, expressions, shifts, identity and folds."""

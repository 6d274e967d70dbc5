"""The textbook's formulas with their slots, and the mistakes that are known."""

"""What tuning found: numbers, tables of text, notes."""

"""Mistakes that the catalogue does not list: other factors, terms, sums and orders, or else where answers differ."""

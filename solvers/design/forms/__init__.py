"""Members of fabric families for a size, and what closed forms say of their bandwidth; one family per file."""

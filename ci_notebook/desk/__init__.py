"""What a lab puts on the table: pictures, plans, prices, and what each view asks of it."""

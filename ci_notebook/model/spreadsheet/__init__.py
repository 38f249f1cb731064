"""Texts for spreadsheets: `spreadsheet_text` keeps a text of anybody from becoming a formula."""

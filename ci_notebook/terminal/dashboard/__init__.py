"""The panels as a page for those who do not read code: `ci-notebook app CLIP`, shown by Voila."""

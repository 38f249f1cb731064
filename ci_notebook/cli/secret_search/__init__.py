"""Search for secrets in a text: their patterns, and the disguises that people and programs put them in.

Modules in reading order:

- `disguises`: other readings of a text, such as decoded, unescaped, and with split strings joined.
- `secret_patterns`: the patterns of keys, tokens, signatures and paths, and the search for known keys.
"""

"""A list on its way in. Each of these rooms knows only those before it.

`files` takes the upload apart and reads it line by line, `columns` knows what columns are called,
`rows` turns a line into what it asks for, `deciding` holds the rules, `running` carries them out.
"""

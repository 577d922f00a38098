"""Encrypted copies of all that the site keeps, and the way back.

A backup is one file in the age format (https://age-encryption.org/v1) around a tar archive: what
`pg_dump` wrote, in pieces, the media folder, and a manifest. Without this program:
`age -d -i KEY FILE | tar -x`, then `cat database/* | pg_restore …`.
"""

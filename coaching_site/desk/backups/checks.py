"""What the operator should know about carrying backups to another host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, register

from coaching_site import on_demand
from coaching_site.desk.backups.errors import CopyKeyUnreadable

if TYPE_CHECKING:
    from coaching_site.desk.backups import sftp
else:
    sftp = on_demand.Module("coaching_site.desk.backups.sftp")


@register(deploy=True)
def copies_can_be_carried(**kwargs: Any) -> list[CheckMessage]:
    copy, found = settings.BACKUP_COPY, list[CheckMessage]()
    if copy.host and not settings.BACKUP_RECIPIENTS:
        found.append(
            checks.Warning(
                "BACKUP_COPY_URL ist gesetzt, BACKUP_RECIPIENTS nicht: Es gibt nichts fortzutragen.",
                id="desk.W002",
            )
        )
    if copy.key_file and not _is_key(copy.key_file):
        found.append(
            checks.Error(
                CopyKeyUnreadable.message,
                hint="`ssh-keygen -t ed25519 -N '' -f DATEI` macht einen.",
                id="desk.E001",
            )
        )
    return found


def _is_key(path: str) -> bool:
    try:
        sftp.check_key(path)
    except CopyKeyUnreadable:
        return False
    return True

"""Why there is no backup, or no way back, each with the sentence the operator reads."""

from __future__ import annotations


class BackupError(Exception):
    """`message` names no person, no secret and no folder: it is also sent by mail."""

    message = "Das hat nicht geklappt."

    def __init__(self, message: str = "") -> None:
        self.message = message or self.message
        super().__init__(self.message)


class NoRecipient(BackupError):
    message = (
        "BACKUP_RECIPIENTS ist leer: Ohne öffentlichen Schlüssel wird nichts gesichert. "
        "`manage.py backup --new-key DATEI` macht einen."
    )


class AlreadyRunning(BackupError):
    message = "In diesen Ordner wird gerade schon gesichert."


class FolderServed(BackupError):
    message = "BACKUP_FOLDER liegt im Ordner der Bilder; nimm einen anderen."


class CannotWrite(BackupError):
    message = "In den Ordner der Sicherungen kann nicht geschrieben werden. Ist noch Platz, und gehört er der Seite?"


class ProgramMissing(BackupError):
    def __init__(self, name: str, major: int) -> None:
        super().__init__(
            f"Es gibt hier kein {name} ab Version {major}, so neu wie die Datenbank. Installiere das "
            f"Paket postgresql-client-{major}."
        )


class ProgramFailed(BackupError):
    def __init__(self, name: str) -> None:
        super().__init__(f"{name} ist gescheitert; der Grund steht im Protokoll.")


class MediaChanged(BackupError):
    message = "Ein Bild wurde während der Sicherung kürzer. Versuch es noch einmal."


class KeyExists(BackupError):
    message = "Diese Datei gibt es schon; ein Schlüssel wird nie überschrieben."


class KeyUnreadable(BackupError):
    message = (
        "Das ist kein geheimer Schlüssel; die Datei braucht eine Zeile AGE-SECRET-KEY-1…, wie "
        "`manage.py backup --new-key` oder `age-keygen` sie schreiben."
    )


class FileUnreadable(BackupError):
    message = "Diese Datei gibt es nicht, oder sie lässt sich nicht lesen."


class ChecksumMissing(BackupError):
    message = "Neben der Sicherung fehlt die Datei mit ihrer Prüfsumme (.sha256)."


class ChecksumWrong(BackupError):
    message = "Die Prüfsumme stimmt nicht: Die Sicherung ist beschädigt. Nimm eine andere Kopie."


class WrongKey(BackupError):
    message = "Dieser Schlüssel öffnet die Sicherung nicht."


class Damaged(BackupError):
    message = "Die Sicherung ist unvollständig oder verändert. Nimm eine andere Kopie."


class NotEmpty(BackupError):
    message = (
        "In der Datenbank ist schon etwas. Zurückgespielt wird nur in eine leere: Leg eine neue an und "
        "nenn sie in DATABASE_URL."
    )


class ServerTooOld(BackupError):
    def __init__(self, wanted: int, found: int) -> None:
        super().__init__(
            f"Die Sicherung wurde mit pg_dump {wanted} geschrieben, der Server hier ist PostgreSQL "
            f"{found}. Nimm einen Server ab {wanted}."
        )


class CodeTooOld(BackupError):
    def __init__(self, migrations: list[str]) -> None:
        super().__init__(
            "Die Sicherung stammt von einer neueren Fassung der Seite; dieser hier fehlen die "
            f"Migrationen {', '.join(migrations)}. Nimm mindestens die Fassung von damals."
        )


class RowsMissing(BackupError):
    def __init__(self, tables: list[str]) -> None:
        super().__init__(
            "Nach dem Zurückspielen hat nicht jede Tabelle so viele Zeilen wie gesichert wurden: "
            f"{', '.join(tables)}."
        )


class AlreadyCopying(BackupError):
    message = "Die Sicherungen werden gerade schon auf den anderen Rechner getragen."


class NoCopyHost(BackupError):
    message = "BACKUP_COPY_URL ist leer: Es gibt keinen anderen Rechner für Sicherungen."


class CopyKeyUnreadable(BackupError):
    message = (
        "In der Datei, die BACKUP_COPY_KEY nennt, steht kein privater Schlüssel, den die Seite lesen "
        "kann. Sie muss ihr gehören, und der Schlüssel darf kein Passwort haben."
    )


class HostKeyWrong(BackupError):
    message = (
        "Der andere Rechner hat nicht den Schlüssel, der in BACKUP_COPY_HOST_KEY steht; es wurde nichts "
        "hingeschickt. Frag seinen Anbieter, ob er ihn gewechselt hat, bevor du den neuen einträgst."
    )


class LoginRefused(BackupError):
    message = (
        "Der andere Rechner lässt den Benutzer aus BACKUP_COPY_URL nicht herein. Stimmt das Passwort, "
        "und kennt er den Schlüssel, der zu BACKUP_COPY_KEY gehört?"
    )


class LineBroken(BackupError):
    """The only one that may pass by itself."""

    message = "Der andere Rechner antwortet nicht, oder die Leitung brach ab."


class CopyRefused(BackupError):
    message = (
        "Der andere Rechner nimmt die Datei nicht an. Ist dort noch Platz, gibt es den Ordner, und darf "
        "der Benutzer darin schreiben?"
    )


class NotArrivedWhole(BackupError):
    message = (
        "Eine Sicherung kam nicht so an, wie sie abgeschickt wurde; sie gilt dort nicht. Ist auf dem "
        "anderen Rechner noch Platz?"
    )


class CopyDamaged(BackupError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"Die Kopie {name} auf dem anderen Rechner ist beschädigt, und hier gibt es sie nicht mehr. "
            "Lass seine Platte prüfen; jüngere Kopien sind davon nicht betroffen."
        )


class NoSuchCopy(BackupError):
    message = (
        "Auf dem anderen Rechner gibt es keine ganze Sicherung dieses Namens. "
        "`manage.py backup --list-copies` zeigt, welche es gibt."
    )

"""The booking's fixtures, for what belongs to no app alone."""

from __future__ import annotations

from tests.booking.conftest import (
    booked as booked,
)
from tests.booking.conftest import (
    booking as booking,
)
from tests.booking.conftest import (
    calendar as calendar,
)
from tests.booking.conftest import (
    call_type as call_type,
)
from tests.booking.conftest import (
    clock as clock,
)
from tests.booking.conftest import (
    confirmed as confirmed,
)
from tests.booking.conftest import (
    held as held,
)
from tests.booking.conftest import (
    paid_type as paid_type,
)
from tests.booking.conftest import (
    plain_static_files as plain_static_files,
)
from tests.booking.conftest import (
    session as session,
)
from tests.booking.conftest import (
    stripe as stripe,
)
from tests.desk.every_page import (
    house as house,
)
from tests.desk.every_page import (
    kept as kept,
)
from tests.desk.every_page import (
    money as money,
)

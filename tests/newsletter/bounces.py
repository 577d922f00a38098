"""Mails as they come back, in the formats of the programs that write them; written for these tests.

`{to}` is the address the mail came back to, `{id}` the Message-ID of the mail that was sent.
"""

from __future__ import annotations

ORIGINAL = """\
Return-Path: <{to}>
From: Praxis <post@praxis.example>
To: ada@leser.example
Subject: Warum 5.1.1 keine Versionsnummer ist
Message-ID: {id}
"""

POSTFIX = (
    """\
Return-Path: <>
Date: Mon, 1 Mar 2027 08:00:05 +0000 (UTC)
From: MAILER-DAEMON@mx.relay.example (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: {to}
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B1/mx.relay.example"
Message-Id: <20270301080005.B1@mx.relay.example>

--B1/mx.relay.example
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

This is the mail system at host mx.relay.example. Your message could not be delivered.

<ada@leser.example>: host mx.leser.example[192.0.2.7] said: {diagnostic}

--B1/mx.relay.example
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.relay.example
X-Postfix-Queue-ID: B1
X-Postfix-Sender: rfc822; {to}
Arrival-Date: Mon,  1 Mar 2027 08:00:01 +0000 (UTC)

Final-Recipient: rfc822; ada@leser.example
Original-Recipient: rfc822;ada@leser.example
Action: {action}
Status: {status}
Remote-MTA: dns; mx.leser.example
Diagnostic-Code: smtp; {diagnostic}

--B1/mx.relay.example
Content-Description: Undelivered Message Headers
Content-Type: text/rfc822-headers

"""
    + ORIGINAL
    + """
--B1/mx.relay.example--
"""
)

# Exim reports 5.0.0 whatever the next server said, and tells the reason in the diagnostic.
EXIM = """\
From: Mail Delivery System <Mailer-Daemon@mx.exim.example>
To: {to}
Auto-Submitted: auto-replied
X-Failed-Recipients: ada@leser.example
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1abcde-000001-00@mx.exim.example>
Date: Mon, 01 Mar 2027 08:00:05 +0000
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=1803-exim

--1803-exim
Content-type: text/plain; charset=us-ascii

A message that you sent could not be delivered to one or more of its recipients.

  ada@leser.example
    host mx.leser.example [192.0.2.7]
    SMTP error from remote mail server after RCPT TO:<ada@leser.example>:
    {diagnostic}

--1803-exim
Content-type: message/delivery-status

Reporting-MTA: dns; mx.exim.example

Action: failed
Final-Recipient: rfc822;ada@leser.example
Status: 5.0.0
Remote-MTA: dns; mx.leser.example
Diagnostic-Code: smtp; {diagnostic}

--1803-exim
Content-type: message/rfc822

Message-ID: {id}

…
--1803-exim--
"""

EXIM_TEXT = """\
From: Mail Delivery System <Mailer-Daemon@mx.exim.example>
To: {to}
Auto-Submitted: auto-replied
X-Failed-Recipients: ada@leser.example
Subject: Mail delivery failed: returning message to sender
Message-Id: <E1abcde-000002-00@mx.exim.example>

This message was created automatically by mail delivery software.
The following address failed:

  ada@leser.example
    {diagnostic}

------ This is a copy of the message, including all the headers. ------

Message-ID: {id}
Subject: 550 5.1.1 in our own words
"""

EXIM_DELAY = """\
From: Mail Delivery System <Mailer-Daemon@mx.exim.example>
To: {to}
Auto-Submitted: auto-replied
X-Failed-Recipients: ada@leser.example
Subject: Warning: message 1abcde-000003-00 delayed 24 hours
Message-Id: <E1abcde-000003-00@mx.exim.example>

The message has not yet been delivered to the following address:

  ada@leser.example
    host mx.leser.example [192.0.2.7]: 452 4.2.2 mailbox full

No action is required on your part.
"""

SENDMAIL = """\
From: Mail Delivery Subsystem <MAILER-DAEMON@mx.sendmail.example>
To: <{to}>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="x1/mx.sendmail.example"
Subject: Returned mail: see transcript for details
Auto-Submitted: auto-generated (failure)
Message-Id: <202703010800.x1@mx.sendmail.example>

--x1/mx.sendmail.example

The original message was received at Mon, 1 Mar 2027 08:00:01 GMT

   ----- The following addresses had permanent fatal errors -----
<ada@leser.example>
    (reason: {diagnostic})

--x1/mx.sendmail.example
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.sendmail.example
Arrival-Date: Mon, 1 Mar 2027 08:00:01 GMT

Final-Recipient: RFC822; ada@leser.example
Action: failed
Status: {status}
Diagnostic-Code: SMTP; {diagnostic}
Last-Attempt-Date: Mon, 1 Mar 2027 08:00:04 GMT

--x1/mx.sendmail.example--
"""

EXCHANGE = """\
From: Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@firma.example>
To: <{to}>
Subject: =?utf-8?q?Unzustellbar=3A_Ausgabe_vom_M=C3=A4rz?=
Date: Mon, 1 Mar 2027 08:00:05 +0000
Message-ID: <e1@firma.example>
In-Reply-To: {id}
Auto-Submitted: auto-replied
X-MS-Exchange-Message-Is-Ndr:
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="e1_"

--e1_
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: 8bit

<html><body><p>Die Nachricht an ada@firma.example wurde nicht zugestellt.</p></body></html>

--e1_
Content-Type: message/delivery-status

Reporting-MTA: dns;ex1.firma.example
Received-From-MTA: dns;mx.relay.example

Final-Recipient: rfc822;ada@firma.example
Action: failed
Status: {status}
Diagnostic-Code: smtp;{diagnostic}
X-Display-Name: ada@firma.example

--e1_--
"""

EXCHANGE_HTML = """\
From: Microsoft Outlook <postmaster@firma.example>
To: <{to}>
Subject: Undeliverable: Newsletter
Message-ID: <e2@firma.example>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: text/html; charset="utf-8"
Content-Transfer-Encoding: quoted-printable

<html><head><style>p {{ margin: 5.1.1 }}</style></head><body>
<p>Your message wasn't delivered.</p><p>Diagnostic information for administrators:</p>
<p>ex1.firma.example<br>Remote Server returned &#39;{diagnostic}&#39;</p>
<p>Original message headers:</p><pre>Subject: 5.1.1</pre></body></html>
"""

# QSBMF (qmail-send bounce message format): the paragraph of the recipient, then a line of hyphens.
QMAIL = """\
From: MAILER-DAEMON@mx.qmail.example
To: {to}
Subject: failure notice
Message-ID: <q1@mx.qmail.example>

Hi. This is the qmail-send program at mx.qmail.example.
I was not able to deliver your message to these addresses.

<ada@leser.example>:
{diagnostic}

--- Below this line is a copy of the message.

Message-ID: {id}
Subject: (#5.1.1) and 550 5.1.1
"""

HMAILSERVER = """\
From: mailer-daemon@hmail.example
To: {to}
Subject: Message undeliverable: Ausgabe
Message-ID: <h1@hmail.example>
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: 8bit

Your message did not reach some or all of the intended recipients.

   Sent: Mon, 1 Mar 2027 08:00:01 +0000
   Subject: Ausgabe

The following recipient(s) could not be reached:

ada@leser.example
   Error Type: SMTP
   Remote server (192.0.2.7) issued an error.
   hMailServer sent: RCPT TO:<ada@leser.example>
   Remote server replied: {diagnostic}

hMailServer
"""

# RFC 5965: the words, the report, and the mail it is about, its addresses made unreadable.
COMPLAINT = """\
From: <abuse@fbl.example>
Date: Mon, 1 Mar 2027 08:00:05 +0000
Subject: FW: Ausgabe
To: <{to}>
Message-ID: <c1@fbl.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="c1_"

--c1_
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report.

--c1_
Content-Type: message/feedback-report

Feedback-Type: {type}
User-Agent: Example-FBL/1.0
Version: 1

--c1_
Content-Type: message/rfc822

Received: from mx.relay.example
To: <redacted@leser.example>
Subject: Ausgabe
Message-ID: {id}

Text.
--c1_--
"""

WRITTEN = """\
From: Ada <ada@leser.example>
To: {to}
Subject: {subject}
Message-ID: <w1@leser.example>
{headers}
Bitte abmelden. Ich bekam zuletzt 550 5.1.1.
"""


def fill(mail: str, **values: str) -> bytes:
    """One of them as bytes, with the line ends of the protocol."""
    known = {
        "to": "post+b-x@praxis.example",
        "id": "<m-x@praxis.example>",
        "status": "5.1.1",
        "action": "failed",
        "diagnostic": "550 5.1.1 <ada@leser.example>: Recipient address rejected: User unknown",
        "type": "abuse",
        "subject": "unsubscribe",
        "headers": "",
    }
    return mail.format(**{**known, **values}).replace("\n", "\r\n").encode()

"""The admin site with German titles and without the job queue's technical tables."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib.admin import AdminSite
from django.contrib.admin.forms import AdminAuthenticationForm
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import SimpleTemplateResponse, TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from coaching_site import limits, networks
from coaching_site.desk import (
    audit,
    calendar_pages,
    figures_pages,
    mail_pages,
    navigation,
    people_pages,
    set_up_pages,
    sign_in,
    today,
    two_factor,
    two_factor_pages,
    work_pages,
)
from pages.models import Practice

View = TypeVar("View", bound=Callable[..., HttpResponseBase])

TECHNICAL = {"procrastinate"}
# Django's admin brings jQuery, which writes markup in ways that Trusted Types forbid.
JQUERY_MAY = {"require-trusted-types-for": None, "trusted-types": None}


class DeskSite(AdminSite):
    site_title = "Verwaltung"
    site_header = "Verwaltung"
    index_title = "Heute"
    empty_value_display = "–"
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and two_factor.is_enough(request.user)

    def get_urls(self) -> list[URLResolver | URLPattern]:
        pages = two_factor_pages
        own = [
            # Between password and second factor one may leave as well.
            path("logout/", self.logout, name="logout"),
            path("login/code/", pages.code, name="code"),
            path("zwei-schritte/", self.admin_view(pages.state), name="two_factor"),
            path("zwei-schritte/einrichten/", pages.set_up, name="two_factor_set_up"),
            path("zwei-schritte/codes/", self.admin_view(pages.new_codes), name="recovery_codes"),
            *set_up_pages.urls(self.admin_view),
            *calendar_pages.urls(self.admin_view),
            *figures_pages.urls(self.admin_view),
            *mail_pages.urls(self.admin_view),
            *work_pages.urls(self.admin_view),
            *people_pages.urls(self.admin_view),
        ]
        return [*own, *super().get_urls()]

    @method_decorator(never_cache)
    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """First the password, which may be tried a few times, then the second factor."""
        if request.method == "POST":
            name, network = request.POST.get("username", ""), networks.network_of(request)
            try:
                sign_in.count_password(name, network=network, now=timezone.now())
            except limits.TooMany as error:
                return self._too_many(request, error)
        elif self._waits_for_second_factor(request):
            return two_factor_pages.second_step(request, then=request.GET.get("next", ""))
        response = super().login(request, extra_context)
        if response.status_code == 302 and self._waits_for_second_factor(request):
            request.session.set_expiry(two_factor_pages.HALF_SIGNED_IN)
            return two_factor_pages.second_step(request, then=response["Location"])
        return response

    def _waits_for_second_factor(self, request: HttpRequest) -> bool:
        return super().has_permission(request) and not two_factor.is_enough(request.user)

    def _too_many(self, request: HttpRequest, error: limits.TooMany) -> HttpResponse:
        context = {
            **self.each_context(request),
            "title": "Anmelden",
            "form": AdminAuthenticationForm(request),
            "app_path": request.get_full_path(),
            "next": request.POST.get("next", ""),
            "refusal": error.message,
        }
        wait = {"Retry-After": limits.seconds(error.retry_after)}
        return TemplateResponse(request, "admin/login.html", context, status=429, headers=wait)

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """„Heute“: the next calls, what needs a person, free time, figures; the lists below."""
        page = today.page(request.user, now=timezone.now())
        context = {"title": self.index_title, "today": page}
        return super().index(request, {**context, **(extra_context or {})})

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page of the desk gets, and the ways to the others."""
        context = super().each_context(request)
        may = context["has_permission"]
        return {**context, "places": navigation.places(request.path, request.user) if may else []}

    def admin_view(self, view: View, cacheable: bool = False) -> View:
        """Every page of the desk: what a form or a button changes is noted under the user's name."""
        inner = _with_jquery(super().admin_view(_asking_once(view), cacheable))

        @wraps(inner)
        def noted(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            who = request.user.get_username()
            if request.method != "POST" or not who:
                return inner(request, *args, **kwargs)
            with audit.by(who):
                return inner(request, *args, **kwargs)

        return cast("View", noted)

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[dict[str, Any]]:
        """The lists in the coach's order; one app's page shows that app alone.

        The job queue's tables stay reachable by their address, but are nobody's Monday.
        """
        apps = super().get_app_list(request, app_label)
        ours = [app for app in apps if app["app_label"] not in TECHNICAL]
        return ours if app_label else navigation.in_sections(ours)


def _asking_once(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Who looks at a page reads the practice's row once, whatever of the page is filled from it."""

    @wraps(view)
    def asking(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.method != "GET":
            return view(request, *args, **kwargs)
        with Practice.asked_once():
            response = view(request, *args, **kwargs)
            return response.render() if isinstance(response, SimpleTemplateResponse) else response

    return asking


def _with_jquery(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """What `csp_replace` of django-csp does, beside what the page itself has replaced."""

    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        response.__dict__["_csp_replace"] = JQUERY_MAY | vars(response).get("_csp_replace", {})
        return response

    return shown

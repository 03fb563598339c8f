"""The HTTP side of the emulated Altizure: one GraphQL endpoint, two rooms, two OAuth pages.

Knows requests and answers. What can be asked is in ``schema.graphql``; what happens then in
`queries` and `mutations`.

References
----------
altizure/dev-docs en/api.md; requests as altizure/alti-cli and s3-upload-minimal-example send them.
[inferred]: status 400 for a request that is no valid GraphQL, as the common Node servers answer.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from cupixgeo.emulator.altizure import catalogue
from cupixgeo.emulator.altizure.access import SIGN_IN, Access
from cupixgeo.emulator.altizure.mutations import MUTATIONS
from cupixgeo.emulator.altizure.queries import QUERIES
from cupixgeo.emulator.altizure.records import Account
from cupixgeo.emulator.altizure.rules import Rules
from cupixgeo.emulator.altizure.store import Store
from cupixgeo.emulator.altizure.views import VIEWS, Caller
from cupixgeo.emulator.stage import Stage
from cupixgeo.emulator.wire import Request, Response, empty_response, json_response

if TYPE_CHECKING:
    from graphql import DocumentNode, GraphQLSchema

ROOT = "/altizure"
"""Where the service is mounted; it tells clients its own address."""

_ROOMS = ("/super", "/sales")
_GRAPHIQL = b"<!doctype html><title>GraphiQL</title><p>The emulated Altizure: send a POST.</p>\n"


class AltizureService:
    """The emulated service.

    Attributes
    ----------
    rules : Rules
        What is left open by the public facts; may be changed while it runs.
    store : Store
        Accounts and projects.
    access : Access
        Application key, tokens, login codes.

    Parameters
    ----------
    stage : Stage
        Seed, clock, options, storage, world.
    """

    def __init__(self, stage: Stage) -> None:
        schema()  # says at once when graphql-core is missing
        self.rules = Rules()
        self.store = Store(stage, self.rules)
        self.store.accounts = catalogue.make_accounts(stage.seed, stage.clock.now())
        self.access = Access(stage.seed, self.store.accounts)
        catalogue.fill(self.store)

    @property
    def app_key(self) -> str:
        """The application key that is sent as ``key``."""
        return self.access.app_key

    def token(self, account: int) -> str:
        """Return the application key and the user token of an account, with a colon between."""
        return f"{self.app_key}:{self.user_token(account)}"

    def user_token(self, account: int = 0) -> str:
        """Return what an account's user sends as ``altitoken``."""
        return self._account(account).token

    def expire_token(self, account: int = 0) -> str:
        """Let the token of an account stop working; returns the new one."""
        return self.access.renew_token(self._account(account))

    def operation(self, request: Request) -> str:
        """Return the root fields of a GraphQL request, joined by commas; empty for all else."""
        text = (_form_of(request) or {}).get("query") if request.path == "/graphql" else None
        return _root_fields(text) if isinstance(text, str) else ""

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        if request.path == "/auth/start" and request.method == "GET":
            return self.access.authorize(request.query)
        if request.path == "/auth/exchange" and request.method == "POST":
            return self.access.exchange(request)
        if request.path != "/graphql" and request.path not in _ROOMS:
            return empty_response(404)
        if request.method == "GET":
            return Response(200, (("Content-Type", "text/html; charset=utf-8"),), _GRAPHIQL)
        if request.method != "POST":
            return empty_response(405, headers=(("Allow", "GET, POST"),))
        form = _form_of(request)
        if form is None or not isinstance(form.get("query"), str):
            return _errors(400, "Must provide query string.")
        variables = form.get("variables") or {}
        if not isinstance(variables, dict):
            return _errors(400, "Variables are invalid JSON.")
        return self._execute(request, form, variables)

    def _execute(
        self, request: Request, form: dict[str, Any], variables: dict[str, Any]
    ) -> Response:
        from graphql import execute_sync

        is_room = request.path in _ROOMS
        document, problems = _document(form["query"], is_room=is_room)
        if document is None:
            return json_response(400, {"errors": problems})
        with self.store.lock:
            self.store.settle()
            result = execute_sync(
                room_schema() if is_room else schema(),
                document,
                root_value=self._greeting(request),
                context_value=self._caller(request),
                variable_values=variables,
                operation_name=form.get("operationName"),
            )
        if result.data is None:
            return json_response(400, {"errors": result.formatted.get("errors", [])})
        return json_response(200, result.formatted)

    def _caller(self, request: Request) -> Caller:
        has_key = self.access.has_key(request.headers)
        account = self.access.account_of(request.headers) if has_key else None
        api_url = f"http://{request.headers.get('host', 'localhost')}{ROOT}"
        return Caller(self.store, self.access, has_key, account, api_url)

    def _greeting(self, request: Request) -> dict[str, str | None]:
        account = self._caller(request).account
        entitled = account is not None and request.path in account.rooms
        return {"hello": f"Hello {account.name}" if account and entitled else None}

    def _account(self, number: int) -> Account:
        accounts = self.store.accounts
        if not 0 <= number < len(accounts):
            raise ValueError(
                f"the emulated altizure service has accounts 0 to {len(accounts) - 1}, not {number}"
            )
        return accounts[number]


@lru_cache(maxsize=1)
def schema() -> GraphQLSchema:
    """Return the executable schema of ``/graphql``; made once."""
    return _built("schema.graphql", {**VIEWS, **QUERIES, **MUTATIONS, **SIGN_IN})


@lru_cache(maxsize=1)
def room_schema() -> GraphQLSchema:
    """Return the executable schema of ``/super`` and ``/sales``; made once."""
    return _built("room.graphql", {})


def schema_text() -> str:
    """Return the SDL of ``/graphql``."""
    return _text("schema.graphql")


@lru_cache(maxsize=256)
def _document(text: str, *, is_room: bool) -> tuple[DocumentNode | None, list[Any]]:
    """Parse and validate a query; gives the document, or what is wrong with it."""
    from graphql import GraphQLError, parse, validate

    try:
        document = parse(text)
        errors = validate(room_schema() if is_room else schema(), document)
    except GraphQLError as error:
        errors = [error]
    return (None, [error.formatted for error in errors]) if errors else (document, [])


@lru_cache(maxsize=256)
def _root_fields(text: str) -> str:
    from graphql import GraphQLError, OperationDefinitionNode, parse

    try:
        definitions = parse(text).definitions
    except GraphQLError:
        return ""
    return ",".join(
        field.name.value
        for node in definitions
        if isinstance(node, OperationDefinitionNode)
        for field in node.selection_set.selections
        if hasattr(field, "name")
    )


def _built(name: str, resolvers: dict[str, Any]) -> GraphQLSchema:
    try:
        from graphql import GraphQLObjectType, build_schema
    except ImportError as error:
        raise ImportError(
            "the emulated Altizure service needs graphql-core; "
            "install it with: pip install 'cupixgeo[emulator]'"
        ) from error
    made = build_schema(_text(name))
    for kind in made.type_map.values():
        if isinstance(kind, GraphQLObjectType) and not kind.name.startswith("__"):
            for field_name, field in kind.fields.items():
                for argument_name, argument in field.args.items():
                    argument.out_name = snake_case(argument_name)
                field.resolve = resolvers.get(f"{kind.name}.{field_name}", _attribute)
    return made


def _attribute(source: Any, info: Any, **arguments: Any) -> Any:
    """Give a field by its name: an entry of a dict, or an attribute in snake case."""
    if isinstance(source, dict):
        return source.get(info.field_name)
    return getattr(source, snake_case(info.field_name))


def snake_case(name: str) -> str:
    """Spell a field as its attribute.

    >>> snake_case("importedModelType")
    'imported_model_type'
    """
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name)


def _text(name: str) -> str:
    return (resources.files("cupixgeo.emulator.altizure") / name).read_text("utf-8")


def _form_of(request: Request) -> dict[str, Any] | None:
    """Read a request's body: JSON, or a form as the jQuery sample sends it."""
    if "form-urlencoded" in request.headers.get("content-type", ""):
        return dict(parse_qsl(request.body.decode("utf-8", "replace")))
    try:
        form = json.loads(request.body)
    except ValueError:
        return None
    return form if isinstance(form, dict) else None


def _errors(status: int, message: str) -> Response:
    return json_response(status, {"errors": [{"message": message}]})

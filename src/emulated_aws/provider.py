"""The stand-in for Terraform's AWS provider: its gRPC protocol over the emulated account."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from tf.gen import tfplugin_pb2 as pb
from tf.gen import (
    tfplugin_pb2_grpc,
)
from tf.utils import read_dynamic_value, to_dynamic_value

from emulated_aws import resource_lifecycle
from emulated_aws.account import Account
from emulated_aws.diagnostics import as_diagnostic, as_path, guarded
from emulated_aws.facts import facts_of
from emulated_aws.limits import types_named
from emulated_aws.refusals import refusals
from emulated_aws.resource_lifecycle import Settings
from emulated_aws.resources import DATA_SOURCES, RESOURCES
from emulated_aws.resources.base import Api, Refused, State, not_emulated
from emulated_aws.schema import Type, load, load_with
from emulated_aws.terraform_values import conform_block


class Provider(tfplugin_pb2_grpc.ProviderServicer):  # type: ignore[misc]
    """Answers Terraform's calls; each connection is one provider configuration."""

    # The protocol names the methods.
    # ruff: noqa: N802

    def __init__(self, account: Account, project: Path | None = None) -> None:
        self.account, self.project = account, project
        self.schema = load()
        self.has_changed = False
        self._made = account.made()
        self._made_earlier = frozenset(self._made)
        self._settings: dict[str, Settings] = {}
        self._clients: dict[tuple[str, str], Any] = {}

    def _client(self, service: str, region: str) -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = self.account.client(service, region)
        return self._clients[service, region]

    def _settings_of(self, context: Any) -> Settings:
        return self._settings.get(context.peer(), Settings(self.account.region, {}))

    def _api(self, type_: Type, settings: Settings, *states: State | None) -> Api:
        """Return the API in the region of the first state that has one."""
        named = (state.get("region") for state in states if state)
        region = next((region for region in named if isinstance(region, str)), settings.region)
        return Api(self.account, self._client, region, type_.block)

    # The provider as a whole

    def GetMetadata(self, request: Any, context: Any) -> Any:
        """List the resource and data source types."""
        self._look_into_project()
        return pb.GetMetadata.Response(
            resources=[{"type_name": name} for name in self.schema.resources],
            data_sources=[{"type_name": name} for name in self.schema.data_sources],
        )

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        """Return the real provider's schema of types that are emulated or named by the project."""
        self._look_into_project()
        return self.schema.message

    def _look_into_project(self) -> None:
        if self.project:
            self.schema = load_with(types_named(self.project))

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        """Accept the configuration: the schema has checked it."""
        return pb.ValidateProviderConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        """Remember region and default tags for this connection."""
        config = read_dynamic_value(request.config) or {}
        tags = [block["tags"] for block in config.get("default_tags") or () if block.get("tags")]
        region = config.get("region") or self.account.region
        self._settings[context.peer()] = Settings(region, tags[0] if tags else {})
        allowed, forbidden = config.get("allowed_account_ids"), config.get("forbidden_account_ids")
        account = self.account.account_id
        problems = []
        if region not in self.account.session.get_available_regions("ec2"):
            problems.append(Refused(f"invalid AWS Region: {region}", steps=("region",)))
        if (allowed and account not in allowed) or account in (forbidden or ()):
            problems.append(Refused(f"AWS account ID not allowed: {account}"))
        found = [as_diagnostic(problem) for problem in problems]
        return pb.ConfigureProvider.Response(diagnostics=found)

    def StopProvider(self, request: Any, context: Any) -> Any:
        """Let running operations finish: each takes milliseconds."""
        return pb.StopProvider.Response()

    def GetFunctions(self, request: Any, context: Any) -> Any:
        """Return no functions."""
        return pb.GetFunctions.Response()

    # Resources

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        """Report the values that the real provider refuses."""

        def answer() -> Any:
            resource, config = RESOURCES.get(request.type_name), read_dynamic_value(request.config)
            if resource is None:  # declared, and perhaps never created: planning it is refused
                return pb.ValidateResourceConfig.Response()
            found = refusals(self.schema.resources[request.type_name], resource, config)
            return pb.ValidateResourceConfig.Response(diagnostics=list(map(as_diagnostic, found)))

        doing = f"validating {request.type_name}"
        return guarded(answer, pb.ValidateResourceConfig.Response, doing)

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        """Return a saved state without attributes that the schema no longer has."""
        block = self.schema.resources[request.type_name].block
        state = conform_block(block, json.loads(request.raw_state.json))
        return pb.UpgradeResourceState.Response(upgraded_state=to_dynamic_value(state))

    def ReadResource(self, request: Any, context: Any) -> Any:
        """Refresh a state from the API."""

        def answer() -> Any:
            type_, resource, settings = self._known(request, context)
            state = read_dynamic_value(request.current_state)
            found = resource_lifecycle.read(
                type_, resource, self._api(type_, settings, state), settings, state
            )
            if found is None or made_by(request.private)[0] in self._made_earlier:
                self._forget(request.private)  # gone, or recorded: Terraform has read it
            return pb.ReadResource.Response(
                new_state=to_dynamic_value(found), private=request.private
            )

        return guarded(answer, pb.ReadResource.Response, f"reading {request.type_name}")

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        """Plan a change."""

        def answer() -> Any:
            type_, resource, settings = self._known(request, context)
            prior, proposed = (
                read_dynamic_value(request.prior_state),
                read_dynamic_value(request.proposed_new_state),
            )
            if proposed is None:
                return pb.PlanResourceChange.Response(
                    planned_state=request.proposed_new_state, planned_private=request.prior_private
                )
            api = self._api(type_, settings, proposed, prior)
            planned, replaced = resource_lifecycle.plan(
                type_, resource, api, settings, prior, proposed
            )
            return pb.PlanResourceChange.Response(
                planned_state=to_dynamic_value(planned),
                requires_replace=[as_path((name,)) for name in replaced],
                planned_private=request.prior_private,
                legacy_type_system=type_.sdk,
            )

        return guarded(answer, pb.PlanResourceChange.Response, f"planning {request.type_name}")

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        """Apply a planned change."""
        self.has_changed = True
        type_, resource, settings = self._known(request, context)
        prior, planned = (
            read_dynamic_value(request.prior_state),
            read_dynamic_value(request.planned_state),
        )
        api = self._api(type_, settings, *((planned, prior) if planned else (prior,)))
        private, made = request.planned_private, ""
        if prior is None:
            # The state records how the resource was created, until it is deleted.
            made = resource_lifecycle.fingerprint(type_, planned)
            self._made.add(made)
            private = f"{made} {self.account.run}".encode()
        change = partial(resource_lifecycle.apply, type_, resource, api, settings, prior, planned)
        state, error = change()
        if prior is None and made in self._made_earlier and resource_lifecycle.means_gone(error):
            # A killed run's resource was removed since, outside Terraform: create it again.
            self.account.gone(made, self.account.run)
            state, error = change()
        if prior and state is None:
            self._forget(private)
        verb = "deleting" if planned is None else "updating" if prior else "creating"
        identity = f" ({prior['id']})" if prior and prior.get("id") else ""
        doing = f"{verb} {request.type_name}{identity}"
        return pb.ApplyResourceChange.Response(
            new_state=to_dynamic_value(state),
            private=private,
            legacy_type_system=type_.sdk,
            diagnostics=[as_diagnostic(error, doing)] if error else [],
        )

    def ImportResourceState(self, request: Any, context: Any) -> Any:
        """Import a resource by its id; Terraform refreshes it next."""

        def answer() -> Any:
            type_, resource, settings = self._known(request, context)
            known = {"id": request.id, "region": settings.region}
            if resource.imported:
                known |= resource.imported(self._api(type_, settings), request.id)
            state = to_dynamic_value(conform_block(type_.block, known))
            imported = {"type_name": request.type_name, "state": state}
            return pb.ImportResourceState.Response(imported_resources=[imported])

        doing = f"importing {request.type_name} ({request.id})"
        return guarded(answer, pb.ImportResourceState.Response, doing)

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        """Read a data source."""

        def answer() -> Any:
            settings = self._settings_of(context)
            type_, source = (
                self.schema.data_sources[request.type_name],
                DATA_SOURCES.get(request.type_name),
            )
            if source is None:
                raise not_emulated(f"data.{type_.name}")
            given = resource_lifecycle.with_defaults(
                type_.block,
                read_dynamic_value(request.config),
                facts_of(f"data.{type_.name}").defaults,
            )
            api = self._api(type_, settings, given)
            found = conform_block(
                type_.block, {**given, "region": api.region, **source.read(api, given)}
            )
            if type_.sdk:
                found = resource_lifecycle.with_zeros(type_, found, None)
            return pb.ReadDataSource.Response(state=to_dynamic_value(found))

        return guarded(answer, pb.ReadDataSource.Response, f"reading data {request.type_name}")

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        """Report the values that the real provider refuses."""

        def answer() -> Any:
            type_ = self.schema.data_sources[request.type_name]
            found = refusals(type_, None, read_dynamic_value(request.config))
            return pb.ValidateDataResourceConfig.Response(
                diagnostics=list(map(as_diagnostic, found))
            )

        doing = f"validating data {request.type_name}"
        return guarded(answer, pb.ValidateDataResourceConfig.Response, doing)

    def _forget(self, private: bytes) -> None:
        made, run = made_by(private)
        if made in self._made:
            self.account.gone(made, run)

    def _known(self, request: Any, context: Any) -> Any:
        name = request.type_name
        if name not in RESOURCES:
            raise not_emulated(name)
        return self.schema.resources[name], RESOURCES[name], self._settings_of(context)


def made_by(private: bytes) -> tuple[str, str]:
    """Return the creation and run that the state's private data records."""
    made, _, run = private.decode().partition(" ")
    return made, run

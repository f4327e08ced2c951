"""BinderHub in the rehearsal: the shared configuration, then what is this machine's."""

from local_hub import hub_state

c = get_config()
hub = hub_state.load()

load_subconfig(str(hub.code / "binder.py"))

c.BinderHub.base_url = "/services/binder/"
c.BinderHub.port = hub.ports["binder"]
c.BinderHub.hub_url_local = hub.url("hub")
c.BinderHub.hub_api_token = hub.secrets["binder"]
c.BinderHub.builder_required = False  # no Kubernetes: see binder_service
c.HubOAuth.oauth_client_id = "service-binder"

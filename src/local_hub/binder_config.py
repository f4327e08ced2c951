"""BinderHub in the rehearsal: the shared configuration, then settings for this machine."""

from local_hub import hub_state

c = get_config()
hub = hub_state.load()

exec(hub_state.code(hub, "launches.py", "binder.py"), {"c": c})  # noqa: S102 - as the charts do

c.BinderHub.base_url = "/services/binder/"
c.BinderHub.port = hub.ports["binder"]
c.BinderHub.hub_url_local = hub.url("hub")
c.BinderHub.hub_api_token = hub.secrets["binder"]
c.BinderHub.builder_required = False  # no Kubernetes: see binder_service
c.HubOAuth.oauth_client_id = "service-binder"
c.HubOAuth.hub_host = hub.settings["url"]  # the page is on a subdomain of its own
c.HubOAuth.oauth_redirect_uri = f"{hub.service_url('binder')}/oauth_callback"

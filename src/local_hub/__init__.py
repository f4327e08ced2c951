"""JupyterHub, Dask-Gateway and BinderHub as processes of one machine."""

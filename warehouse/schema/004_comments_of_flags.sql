-- What `simulated` says of rows that belong to a run and not to one cell of it: a run may mix both kinds.

comment on column runs.simulated is 'true if any cell of the run is simulated; the cells say which';
comment on column environments.simulated
is 'true if any cell of the run is simulated; the host itself is real';
comment on column targets.simulated is 'true if the target is the simulator';
comment on column prices.simulated is 'true if the target is the simulator';
comment on column models.simulated is 'true if only simulated cells of the run use the model';
comment on column workloads.simulated is 'true if only simulated cells of the run use the workload';
comment on column suites.simulated is 'true if only simulated cells of the run use the suite';
comment on column trace_exports.simulated is 'true if any cell of the run is simulated';
comment on column landings.simulated
is 'true if the rows of the landing are simulated; of a run''s own rows, if any cell of the run is';

-- stats.deviance: one cell's share of a likelihood ratio, observed × ln(observed / expected); 0 for an empty cell
-- paper: own
create or replace macro stats.deviance(observed, expected) as
    case when observed > 0 then observed * ln(observed / expected) else observed * 0 end;

-- tests
select stats.equals(stats.deviance(2.0, 2.0), 0.0);
select stats.equals(stats.deviance(0.0, 2.0), 0.0);
select stats.equals(stats.deviance(null, 2.0), null);

-- stats.prior_error: standard error of stats.prior_log_odds of the same counts
-- paper: own (Monroe, Colaresi and Quinn 2008, with a prior of two cells)
create or replace macro stats.prior_error(held_inside, inside, held, total, prior_rows) as
    sqrt(
        1 / (held_inside + prior_rows * (held + 0.5) / (total + 1))
        + 1 / (inside - held_inside + prior_rows * (total - held + 0.5) / (total + 1))
        + 1 / (held - held_inside + prior_rows * (held + 0.5) / (total + 1))
        + 1 / (total - inside - (held - held_inside) + prior_rows * (total - held + 0.5) / (total + 1))
    );

-- tests
select stats.equals(round(stats.prior_error(10, 100, 20, 200, 50), 6), 0.383771);
select stats.equals(round(stats.prior_error(0, 100, 0, 1000, 250), 4), 4.0025);
select stats.equals(stats.prior_error(null, 100, 20, 200, 50), null);

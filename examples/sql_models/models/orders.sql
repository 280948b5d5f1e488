select 1 as id, 'ada' as customer, 4250 as cents, true as paid
union all select 2, 'ada', 899, false
union all select 3, 'grace', 1299, true

-- Databricks notebook source
CREATE OR REPLACE TABLE main.sales.revenue AS
SELECT day, sum(amount) AS revenue
FROM main.sales.orders
GROUP BY day

-- COMMAND ----------

SELECT * FROM main.sales.revenue ORDER BY day DESC LIMIT 30

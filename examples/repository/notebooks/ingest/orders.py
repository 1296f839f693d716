# Databricks notebook source
# MAGIC %md
# MAGIC # Orders
# MAGIC Reads the day's orders into a table.

# COMMAND ----------

dbutils.widgets.text("day", "2026-01-01")
day = dbutils.widgets.get("day")

# COMMAND ----------

orders = spark.read.json(f"/Volumes/main/raw/orders/{day}")
orders.write.mode("append").saveAsTable("main.sales.orders")

# COMMAND ----------

dbutils.notebook.exit(f"{orders.count()} orders of {day}")

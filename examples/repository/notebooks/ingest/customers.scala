// Databricks notebook source
val customers = spark.read.table("main.raw.customers")

// COMMAND ----------

customers.dropDuplicates("id").write.mode("overwrite").saveAsTable("main.sales.customers")

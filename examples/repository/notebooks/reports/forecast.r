# Databricks notebook source
library(SparkR)
revenue <- collect(sql("SELECT day, revenue FROM main.sales.revenue"))

# COMMAND ----------

fit <- lm(revenue ~ as.numeric(day), data = revenue)
summary(fit)

//! Clusters and SQL warehouses.

use crate::client::Client;

#[tokio::test]
async fn what_is_there_is_told_and_what_is_not_is_refused_in_the_words_of_the_service() {
    let client = Client::new();
    client.sandbox.add_cluster("0123-456789-abcdefgh", "nightly");
    client.sandbox.add_warehouse("abcdef0123456789", "reports");
    let cluster = client.get("/api/2.1/clusters/get?cluster_id=0123-456789-abcdefgh").await;
    assert_eq!((cluster.status, cluster.body["cluster_name"].as_str()), (200, Some("nightly")));
    let missing = client.get("/api/2.1/clusters/get?cluster_id=x").await;
    assert_eq!(missing.error(), (400, "INVALID_PARAMETER_VALUE", "Cluster x does not exist"));
    let unnamed = client.get("/api/2.1/clusters/get").await;
    assert_eq!(unnamed.error(), (400, "INVALID_PARAMETER_VALUE", "Missing required field: cluster_id"));
    let warehouse = client.get("/api/2.0/sql/warehouses/abcdef0123456789").await;
    assert_eq!((warehouse.status, warehouse.body["name"].as_str()), (200, Some("reports")));
    assert_eq!(client.get("/api/2.0/sql/warehouses/x").await.error().1, "RESOURCE_DOES_NOT_EXIST");
    assert!(client.sandbox.unknown_routes().is_empty());
}

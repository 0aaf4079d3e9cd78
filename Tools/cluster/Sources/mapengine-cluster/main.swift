import Cluster
print("hello")

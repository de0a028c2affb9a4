#!/usr/bin/env python3
"""Writes known_fields.inc: which fields Kubernetes knows, for each type that the supervisor reads.

    known_fields.py /usr/lib/python3/dist-packages/kubernetes/client/models >known_fields.inc

The folder is that of the Python client's models, in Debian's python3-kubernetes or unpacked from it. Fields that are
newer than its version 22 (Kubernetes 1.22) stand below, up to Kubernetes 1.35, with those that this library adds.
"""
import pathlib
import re
import sys
import textwrap

ROOTS = ("Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob",
         "ConfigMap", "Secret")
# What no user writes is not looked into.
OPAQUE = {"status", "managedFields", "ownerReferences"}
NEWER = """
Container resizePolicy:ContainerResizePolicy restartPolicy restartPolicyRules:ContainerRestartRule
ContainerResizePolicy resourceName restartPolicy
ContainerRestartRule action exitCodes:ContainerRestartRuleOnExitCodes
ContainerRestartRuleOnExitCodes operator values
EphemeralContainer resizePolicy:ContainerResizePolicy restartPolicy restartPolicyRules:ContainerRestartRule
PodSpec hostUsers hostnameOverride os:PodOS resourceClaims:PodResourceClaim resources:ResourceRequirements
PodSpec schedulingGates:PodSchedulingGate workloadRef:WorkloadReference
PodOS name
PodResourceClaim name resourceClaimName resourceClaimTemplateName source:ClaimSource
ClaimSource resourceClaimName resourceClaimTemplateName
PodSchedulingGate name
WorkloadReference name podGroup podGroupReplicaKey
Probe grpc:GRPCAction
GRPCAction port service
Lifecycle stopSignal
Handler sleep:SleepAction
SleepAction seconds
EnvVarSource fileKeyRef:FileKeySelector
FileKeySelector key optional path volumeName
ResourceRequirements claims:ResourceClaim
ResourceClaim name request
SecurityContext appArmorProfile:AppArmorProfile
PodSecurityContext appArmorProfile:AppArmorProfile seLinuxChangePolicy supplementalGroupsPolicy
AppArmorProfile localhostProfile type
VolumeMount recursiveReadOnly
Volume image:ImageVolumeSource
ImageVolumeSource pullPolicy reference
VolumeProjection clusterTrustBundle:ClusterTrustBundleProjection podCertificate:PodCertificateProjection
ClusterTrustBundleProjection labelSelector:LabelSelector name optional path signerName
PodCertificateProjection certificateChainPath credentialBundlePath keyPath keyType maxExpirationSeconds signerName
PodCertificateProjection userAnnotations
TopologySpreadConstraint matchLabelKeys minDomains nodeAffinityPolicy nodeTaintsPolicy
PodAffinityTerm matchLabelKeys mismatchLabelKeys
PersistentVolumeClaimSpec dataSourceRef:TypedObjectReference volumeAttributesClassName
TypedObjectReference apiGroup kind name namespace
StatefulSetSpec ordinals:StatefulSetOrdinals
StatefulSetSpec persistentVolumeClaimRetentionPolicy:StatefulSetPersistentVolumeClaimRetentionPolicy
StatefulSetOrdinals start
StatefulSetPersistentVolumeClaimRetentionPolicy whenDeleted whenScaled
RollingUpdateStatefulSetStrategy maxUnavailable
JobSpec backoffLimitPerIndex managedBy maxFailedIndexes podFailurePolicy:PodFailurePolicy podReplacementPolicy
JobSpec successPolicy:SuccessPolicy
PodFailurePolicy rules:PodFailurePolicyRule
PodFailurePolicyRule action onExitCodes:PodFailurePolicyOnExitCodesRequirement
PodFailurePolicyRule onPodConditions:PodFailurePolicyOnPodConditionsPattern
PodFailurePolicyOnExitCodesRequirement containerName operator values
PodFailurePolicyOnPodConditionsPattern status type
SuccessPolicy rules:SuccessPolicyRule
SuccessPolicyRule succeededCount succeededIndexes
CronJobSpec timeZone
"""
# Fields of this library that a cluster does not know: see read_probe() in probe_json.hpp.
OWN = """
Probe errorThreshold expect initialDelay pacing period terminationGracePeriod timeout
ExecAction environment inheritEnvironment workingDirectory
HTTPGetAction unixSocket
TCPSocketAction unixSocket
GRPCAction host
"""


def read_models(folder):
    """By name the fields of each type, with their types."""
    models = {}
    for file in pathlib.Path(folder).glob("v1_*.py"):
        text = file.read_text()
        name = re.search(r"^class V1(\w+)\(object\)", text, re.M).group(1)
        python_types, json_names = (dict(re.findall(r"'(\w+)': '([^']+)'",
                                                    re.search(rf"{table} = {{(.*?)}}", text, re.S).group(1)))
                                    for table in ("openapi_types", "attribute_map"))
        models[name] = {json_names[key]: inner_type(kind) for key, kind in python_types.items()}
    return models


def inner_type(type_name):
    """The type of a field or of its elements; empty if nothing is known of what is in it."""
    match = re.fullmatch(r"(?:list\[)?V1(\w+)\]?", type_name)
    return match.group(1) if match else ""


models = read_models(sys.argv[1])
types = {}
todo = list(ROOTS)
newer = {}
for line in NEWER.split("\n"):
    name, *fields = line.split() or [""]
    newer.setdefault(name, {}).update(field.partition(":")[::2] for field in fields)
while todo:
    name = todo.pop()
    if not name or name in types:
        continue
    fields = {**models.get(name, {}), **newer.get(name, {})}
    types[name] = {field: "" if field in OPAQUE else kind for field, kind in fields.items()}
    todo += types[name].values()

print('// Written by known_fields.py. A line is a type, with its fields and their types; "+" marks one of ours.')
print('R"(')
for name in sorted(types):
    own = {field for line in OWN.split("\n") if line.split()[:1] == [name] for field in line.split()[1:]}
    words = [field + (":" + kind if kind else "") for field, kind in sorted(types[name].items())]
    text = " ".join([name] + words + ["+" + field for field in sorted(own)])
    print("\n".join(textwrap.wrap(text, 118, subsequent_indent=" ", break_long_words=False, break_on_hyphens=False)))
print(')"')

#include "manifest/pod_reader.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "manifest/document.hpp"
#include "manifest/handler_reader.hpp"

using namespace std::chrono_literals;
using namespace supervisor;
using probekit::RestartPolicy;
using Texts = std::vector<std::string>;

namespace {

const Options with_images{.images = {{"nginx", {"bin/nginx", "-q"}}}};

PodReading read(std::string_view yaml, const Options& options = with_images) {
    return read_pod(parse_documents(yaml).all.at(0).value, options);
}

Texts messages(const PodReading& reading) {
    Texts result;
    for (const probekit::ConfigError& error : reading.errors) result.push_back(error.message());
    return result;
}

/// The fields of its notices.
Texts noticed(const PodReading& reading) {
    Texts result;
    for (const Notice& notice : reading.notices) result.push_back(notice.path);
    return result;
}

/// A pod of one container with these further lines, which are indented by four.
std::string one_container(const std::string& lines) {
    return "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  containers:\n  - name: "
           "main\n    image: "
           "nginx\n" +
           lines;
}

} // namespace

TEST_CASE("a small pod gets Kubernetes' defaults") {
    const PodReading reading = read(one_container(""));
    REQUIRE(messages(reading) == Texts{});
    CHECK(reading.notices.empty());
    const PodSpec& pod = reading.pod;
    CHECK(pod.name == "web");
    CHECK(pod.name_space == "default");
    CHECK(pod.pod_ip == "127.0.0.1");
    CHECK(pod.restart_policy == RestartPolicy::always);
    CHECK(pod.termination_grace_period == 30s);
    CHECK(pod.init_containers.empty());
    REQUIRE(pod.containers.size() == 1);
    const ContainerSpec& container = pod.containers[0];
    CHECK(container.command == Texts{"bin/nginx", "-q"});
    CHECK(container.environment == Texts{"PROBEKIT_TIME_SCALE=1"});
    CHECK(container.restart_policy == RestartPolicy::always);
    CHECK_FALSE(container.init);
    CHECK_FALSE(container.sidecar);
    CHECK_FALSE(container.liveness);
    CHECK_FALSE(container.pre_stop);
    CHECK(container.field_path() == "spec.containers{main}");
    CHECK(pod.object["spec"]["containers"][0]["image"] == "nginx");
}

TEST_CASE("a pod with everything") {
    const PodReading reading = read(R"yaml(
apiVersion: v1
kind: Pod
metadata:
  name: full.pod
  namespace: prod
  labels: {app: web}
  annotations: {probekit.dev/pod-ip: 127.0.0.7}
spec:
  restartPolicy: OnFailure
  terminationGracePeriodSeconds: 5
  initContainers:
  - {name: first, image: nginx, args: [once]}
  - name: proxy
    image: nginx
    restartPolicy: Always
    readinessProbe: {tcpSocket: {port: 1}}
  containers:
  - name: main
    image: busybox
    command: [sh, -c]
    args: ["echo $(GREETING) $$(GREETING) $(UNKNOWN)"]
    workingDir: /tmp
    env:
    - {name: WHO, value: world}
    - {name: GREETING, value: "hello $(WHO)"}
    - {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: NS, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.namespace}}}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: WHO, value: "$(IP) again"}
    ports:
    - {name: http, containerPort: 8080}
    - {containerPort: 9090, protocol: UDP, hostPort: 9090}
    startupProbe: {exec: {command: [test, $(WHO), $(GREETING), $(IP), $(NONE)]}, periodSeconds: 1}
    livenessProbe: {httpGet: {port: http, path: /live}, terminationGracePeriodSeconds: 3}
    readinessProbe: {httpGet: {port: 81, host: localhost}}
    lifecycle:
      postStart: {exec: {command: [touch, $(WHO)]}}
      preStop: {httpGet: {port: http, path: /stop}}
)yaml",
                                    {.images = {{"nginx", {"nginx"}}}, .time_scale = 2.5});
    REQUIRE(messages(reading) == Texts{});
    CHECK(reading.notices.empty());
    const PodSpec& pod = reading.pod;
    CHECK(pod.name == "full.pod");
    CHECK(pod.name_space == "prod");
    CHECK(pod.pod_ip == "127.0.0.7");
    CHECK(pod.restart_policy == RestartPolicy::on_failure);
    CHECK(pod.termination_grace_period == 5s);

    REQUIRE(pod.init_containers.size() == 2);
    CHECK(pod.init_containers[0].command == Texts{"nginx", "once"});
    CHECK(pod.init_containers[0].init);
    CHECK_FALSE(pod.init_containers[0].sidecar);
    CHECK(pod.init_containers[0].restart_policy == RestartPolicy::on_failure);
    CHECK(pod.init_containers[0].field_path() == "spec.initContainers{first}");
    CHECK(pod.init_containers[1].sidecar);
    CHECK(pod.init_containers[1].restart_policy == RestartPolicy::always);
    CHECK(pod.init_containers[1].readiness);

    REQUIRE(pod.containers.size() == 1);
    const ContainerSpec& main = pod.containers[0];
    CHECK(main.command == Texts{"sh", "-c", "echo hello world $(GREETING) $(UNKNOWN)"});
    CHECK(main.environment == Texts{"PROBEKIT_TIME_SCALE=2.5", "WHO=127.0.0.7 again",
                                    "GREETING=hello world", "POD=full.pod", "NS=prod",
                                    "IP=127.0.0.7"});
    CHECK(main.working_directory == "/tmp");
    REQUIRE(main.ports.size() == 2);
    CHECK(main.ports[0].name == "http");
    CHECK(main.ports[1].number == 9090);

    REQUIRE(main.startup);
    const auto& startup = std::get<probekit::ExecAction>(main.startup->settings.action);
    // As written, not as resolved: so the kubelet expands exec probes.
    CHECK(startup.command == Texts{"test", "$(IP) again", "hello $(WHO)", "", "$(NONE)"});
    CHECK(startup.environment == main.environment);
    CHECK(startup.working_directory == "/tmp");
    CHECK(main.startup->settings.spec.kind == probekit::ProbeKind::startup);
    CHECK(main.startup->settings.spec.period == 1s);

    REQUIRE(main.liveness);
    const auto& liveness = std::get<probekit::HttpGetAction>(main.liveness->settings.action);
    CHECK(liveness.host == "127.0.0.7");
    CHECK(liveness.port == 8080);
    CHECK(main.liveness->settings.spec.termination_grace_period == 3s);
    CHECK(main.liveness->cannot_ask.empty());
    REQUIRE(main.readiness);
    CHECK(std::get<probekit::HttpGetAction>(main.readiness->settings.action).host == "localhost");

    REQUIRE(main.post_start);
    const auto& post_start = std::get<probekit::ExecAction>(main.post_start->settings.action);
    CHECK(post_start.command == Texts{"touch", "$(WHO)"});
    CHECK(post_start.environment == main.environment);
    REQUIRE(main.pre_stop);
    CHECK(std::get<probekit::HttpGetAction>(main.pre_stop->settings.action).path == "/stop");
}

TEST_CASE("a command of the manifest goes before --image") {
    CHECK(read(one_container("    command: [\"true\"]\n")).pod.containers[0].command ==
          Texts{"true"});
    CHECK(read(one_container("    command: []\n    args: [a]\n")).pod.containers[0].command ==
          Texts{"bin/nginx", "-q", "a"});
    CHECK(
        messages(read(one_container("    args: [a]\n"), {})) ==
        Texts{
            R"(spec.containers[0].command: Required value: image "nginx" has no --image mapping and the container names no command)"});
    CHECK(messages(read(one_container("    command: [x]\n"), {})).empty());
}

TEST_CASE("every restart policy is understood, a container's own before the pod's") {
    const auto [pod, own, expected_init, expected] =
        GENERATE(table<std::string, std::string, RestartPolicy, RestartPolicy>({
            {"", "", RestartPolicy::on_failure, RestartPolicy::always},
            {"Always", "", RestartPolicy::on_failure, RestartPolicy::always},
            {"OnFailure", "", RestartPolicy::on_failure, RestartPolicy::on_failure},
            {"Never", "", RestartPolicy::never, RestartPolicy::never},
            {"Never", "Always", RestartPolicy::always, RestartPolicy::always},
            {"Always", "Never", RestartPolicy::never, RestartPolicy::never},
        }));
    const std::string container =
        "{name: NAME, image: nginx" + (own.empty() ? own : ", restartPolicy: " + own) + "}";
    auto named = [&](const char* name) {
        return std::string{container}.replace(container.find("NAME"), 4, name);
    };
    const PodReading reading =
        read("apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  restartPolicy: " + pod +
             "\n  initContainers: [" + named("i") + "]\n  containers: [" + named("c") + "]\n");
    REQUIRE(messages(reading) == Texts{});
    CHECK(reading.pod.init_containers[0].restart_policy == expected_init);
    CHECK(reading.pod.init_containers[0].sidecar == (own == "Always"));
    CHECK(reading.pod.containers[0].restart_policy == expected);
    CHECK_FALSE(reading.pod.containers[0].sidecar);
}

TEST_CASE("a port that is not declared is no error of the manifest, but of each attempt") {
    const PodReading reading = read(one_container(R"(
    ports: [{name: http, containerPort: 80}]
    livenessProbe: {httpGet: {port: htpt}}
    readinessProbe: {tcpSocket: {port: http}}
    lifecycle: {preStop: {httpGet: {port: nope}}}
)"));
    REQUIRE(messages(reading) == Texts{});
    const ContainerSpec& container = reading.pod.containers[0];
    CHECK(container.liveness->cannot_ask == "port \"htpt\" not found");
    CHECK(container.readiness->cannot_ask.empty());
    CHECK(container.pre_stop->cannot_ask == "port \"nope\" not found");
}

TEST_CASE("hooks may sleep, and tcpSocket hooks fail as with a kubelet") {
    const PodReading reading = read(one_container(
        "    lifecycle: {postStart: {tcpSocket: {port: 80}}, preStop: {sleep: {seconds: 30}}}\n"));
    REQUIRE(messages(reading) == Texts{});
    CHECK(reading.pod.containers[0].pre_stop->sleep == 30s);
    CHECK(reading.pod.containers[0].post_start->cannot_ask == "invalid handler: tcpSocket");
}

TEST_CASE("mistakes in a container are named in the API server's words") {
    const auto [lines, expected] = GENERATE(table<std::string, Texts>({
        {"    ports: [{name: http, containerPort: 1}, {name: http, containerPort: 65536}, {}]\n",
         {R"(spec.containers[0].ports[1].name: Duplicate value: "http")",
          "spec.containers[0].ports[1].containerPort: Invalid value: 65536: must be between 1 and "
          "65535, inclusive",
          "spec.containers[0].ports[2].containerPort: Required value"}},
        {"    ports: [{containerPort: 1, protocol: tcp, hostPort: -1}]\n",
         {"spec.containers[0].ports[0].hostPort: Invalid value: -1: must be between 1 and 65535, "
          "inclusive",
          R"(spec.containers[0].ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP")"}},
        {"    ports: [{containerPort: \"80\"}]\n",
         {R"(spec.containers[0].ports[0].containerPort: Invalid value: "80": must be an integer)"}},
        {"    env: [{value: x}, {name: A=B}, {name: C, value: 5}]\n",
         {"spec.containers[0].env[0].name: Required value",
          R"(spec.containers[0].env[1].name: Invalid value: "A=B": a valid environment variable name must consist only of printable ASCII characters other than '=')",
          "spec.containers[0].env[2].value: Invalid value: 5: must be a string"}},
        {"    env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}, {name: "
         "B, valueFrom: "
         "{}}]\n",
         {R"(spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty)",
          R"(spec.containers[0].env[1].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`)"}},
        {"    env: [{name: A, valueFrom: {fieldRef: {}, secretKeyRef: {}}}, {name: B, valueFrom: "
         "{fieldRef: {}}}]\n",
         {"spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Required value",
          "spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value",
          R"(spec.containers[0].env[0].valueFrom: Invalid value: "": may not have more than one field specified at a time)",
          "spec.containers[0].env[1].valueFrom.fieldRef.fieldPath: Required value"}},
        {"    env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.x}}}]\n",
         {R"(spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.x": error converting fieldPath: field label not supported: spec.x)"}},
        {"    env: [{name: A, valueFrom: {fieldRef: {fieldPath: status.phase}}}, {name: B, value: "
         "x, valueFrom: {}}]\n",
         {R"(spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "status.phase": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs")",
          R"(spec.containers[0].env[1].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`)"}},
        {"    env: [{name: A, valueFrom: {fieldRef: {apiVersion: v2, fieldPath: "
         "metadata.name}}}]\n",
         {R"(spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.name": error converting fieldPath: unsupported pod version: v2)"}},
        {"    args: [a, 5]\n    workingDir: 7\n",
         {"spec.containers[0].args[1]: Invalid value: 5: must be a string",
          "spec.containers[0].workingDir: Invalid value: 7: must be a string"}},
        {"    command: [\"a\\0\"]\n",
         {"spec.containers[0].command: Forbidden: must not contain NUL"}},
        {"    restartPolicy: Sometimes\n",
         {R"(spec.containers[0].restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure")"}},
        {"    restartPolicy: \"\"\n    livenessProbe: {}\n  initContainers: [{restartPolicy: "
         "Sometimes, image: "
         "nginx}]\n",
         {"spec.containers[0].livenessProbe: Required value: must specify a handler type",
          R"(spec.containers[0].restartPolicy: Unsupported value: "": supported values: "Always", "Never", "OnFailure")",
          R"(spec.initContainers[0].restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure")",
          "spec.initContainers[0].name: Required value"}},
        {"    livenessProbe: {}\n    readinessProbe: {exec: {}}\n    startupProbe: {tcpSocket: "
         "{port: 0}, "
         "successThreshold: 2}\n",
         {"spec.containers[0].livenessProbe: Required value: must specify a handler type",
          "spec.containers[0].readinessProbe.exec.command: Required value",
          "spec.containers[0].startupProbe.tcpSocket.port: Invalid value: 0: must be between 1 and "
          "65535, inclusive",
          "spec.containers[0].startupProbe.successThreshold: Invalid value: 2: must be 1"}},
        {"    lifecycle: {postStart: {}, preStop: {exec: {command: [x]}, sleep: {seconds: 1}}}\n",
         {"spec.containers[0].lifecycle.postStart: Required value: must specify a handler type",
          "spec.containers[0].lifecycle.preStop.sleep: Forbidden: may not specify more than 1 "
          "handler type"}},
        {"    lifecycle: {preStop: {sleep: {seconds: 31}}}\n",
         {"spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and "
          "less than "
          "terminationGracePeriodSeconds (30)"}},
        {"    lifecycle: [x]\n",
         {R"(spec.containers[0].lifecycle: Invalid value: ["x"]: must be an object)"}},
        {"  - {}\n  - {name: UP, image: ' x', command: [x]}\n  - {name: main, image: nginx}\n",
         {"spec.containers[1].name: Required value", "spec.containers[1].image: Required value",
          R"(spec.containers[2].name: Invalid value: "UP": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'))",
          R"(spec.containers[3].name: Duplicate value: "main")",
          R"(spec.containers[2].image: Invalid value: " x": must not have leading or trailing whitespace)"}},
    }));
    CAPTURE(lines);
    CHECK(messages(read(one_container(lines))) == expected);
}

TEST_CASE("scheme HTTPS needs a supervisor that was built with TLS") {
    const PodReading reading =
        read(one_container("    livenessProbe: {httpGet: {port: 443, scheme: HTTPS}}\n"));
    const std::string error =
        "spec.containers[0].livenessProbe.httpGet.scheme: Forbidden: HTTPS is not built in";
    CHECK(messages(reading) == (speaks_https ? Texts{} : Texts{error}));
}

TEST_CASE("gRPC probes are not built in, and hooks know no grpc") {
    CHECK(messages(read(one_container("    livenessProbe: {grpc: {port: 1}}\n"))) ==
          Texts{"spec.containers[0].livenessProbe.grpc: Forbidden: gRPC probes are not built in"});
    const PodReading hook = read(one_container("    lifecycle: {postStart: {grpc: {port: 1}}}\n"));
    CHECK(messages(hook) == Texts{"spec.containers[0].lifecycle.postStart: Required value: must "
                                  "specify a handler type"});
    CHECK(noticed(hook) == Texts{"spec.containers[0].lifecycle.postStart.grpc"});
}

TEST_CASE("timing fields of a hook are reported as not honoured") {
    const PodReading reading = read(one_container(R"(
    lifecycle:
      postStart: {exec: {command: [x]}, periodSeconds: 5, timeoutSeconds: 0}
      preStop: {sleep: {seconds: 1}, failureThreshold: 1}
)"));
    REQUIRE(messages(reading) == Texts{});
    CHECK(noticed(reading) == Texts{"spec.containers[0].lifecycle.postStart.periodSeconds",
                                    "spec.containers[0].lifecycle.postStart.timeoutSeconds",
                                    "spec.containers[0].lifecycle.preStop.failureThreshold"});
}

TEST_CASE("probes and hooks have the kubelet's user agents") {
    const PodReading reading = read(one_container(R"(
    livenessProbe: {httpGet: {port: 80, unixSocket: /s}}
    lifecycle: {preStop: {httpGet: {port: 80, unixSocket: /s}}}
)"));
    REQUIRE(messages(reading) == Texts{});
    const ContainerSpec& container = reading.pod.containers[0];
    CHECK(container.liveness->settings.options.http.user_agent == "kube-probe/1.35");
    CHECK(container.pre_stop->settings.options.http.user_agent == "kube-lifecycle/1.35");
    CHECK(container.pre_stop->settings.options.http.unix_socket == "/s");
}

TEST_CASE("expectations of an HTTP response are kept for a probe and ignored for a hook") {
    const PodReading reading = read(one_container(R"(
    livenessProbe: {httpGet: {port: 80}, expect: [{body: whole, jsonPointer: /status, equals: UP}]}
    lifecycle: {preStop: {httpGet: {port: 80}, expect: [{status: [200]}]}}
)"));
    CHECK(messages(reading) == Texts{});
    CHECK(noticed(reading) == Texts{"spec.containers[0].lifecycle.preStop.expect"});
    REQUIRE(reading.pod.containers.at(0).liveness);
    CHECK(reading.pod.containers[0].liveness->settings.options.http.expect.size() == 1);
}

TEST_CASE("init containers have no probes and no hooks unless they are sidecars") {
    const PodReading reading = read(one_container(R"(
  initContainers:
  - {name: i, image: nginx, livenessProbe: {}, readinessProbe: {}, startupProbe: {}, lifecycle: {}}
  - {name: main, image: nginx, restartPolicy: Always, livenessProbe: {}}
)"));
    CHECK(
        messages(reading) ==
        Texts{"spec.initContainers[0].lifecycle: Forbidden: may not be set for init containers "
              "without "
              "restartPolicy=Always",
              "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers "
              "without "
              "restartPolicy=Always",
              "spec.initContainers[0].readinessProbe: Forbidden: may not be set for init "
              "containers without "
              "restartPolicy=Always",
              "spec.initContainers[0].startupProbe: Forbidden: may not be set for init containers "
              "without "
              "restartPolicy=Always",
              R"(spec.initContainers[1].name: Duplicate value: "main")",
              "spec.initContainers[1].livenessProbe: Required value: must specify a handler type"});
}

TEST_CASE("mistakes in the pod itself are named") {
    const auto [yaml, expected] = GENERATE(table<std::string, Texts>({
        {"{}",
         {"metadata.name: Required value: name or generateName is required",
          "spec.containers: Required value"}},
        {"metadata: x\nspec: []",
         {R"(metadata: Invalid value: "x": must be an object)",
          "metadata.name: Required value: name or generateName is required",
          "spec: Invalid value: []: must be an object", "spec.containers: Required value"}},
        {"metadata: {name: a}\nspec: {containers: []}", {"spec.containers: Required value"}},
        {"metadata: {name: a}\nspec: {containers: {name: a}}",
         {R"(spec.containers: Invalid value: {"name":"a"}: must be an array)"}},
        {"metadata: {name: a}\nspec: {containers: [x]}",
         {R"(spec.containers[0]: Invalid value: "x": must be an object)",
          "spec.containers[0].name: Required value", "spec.containers[0].image: Required value"}},
        {"metadata: {name: 5, namespace: A, labels: [x], annotations: {probekit.dev/pod-ip: "
         "10.0.0.1}}\n"
         "spec: {containers: [{name: a, image: nginx}], restartPolicy: never, "
         "terminationGracePeriodSeconds: -1}",
         {"metadata.name: Invalid value: 5: must be a string",
          "metadata.name: Required value: name or generateName is required",
          R"(metadata.namespace: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?'))",
          R"(metadata.labels: Invalid value: ["x"]: must be an object)",
          R"(metadata.annotations[probekit.dev/pod-ip]: Invalid value: "10.0.0.1": must be a loopback address)",
          R"(spec.restartPolicy: Unsupported value: "never": supported values: "Always", "OnFailure", "Never")"}},
    }));
    CAPTURE(yaml);
    CHECK(messages(read(yaml)) == expected);
}

TEST_CASE("grace periods from nothing to the longest are taken") {
    const auto grace = [](const std::string& seconds) {
        return read(one_container("  terminationGracePeriodSeconds: " + seconds + "\n"));
    };
    CHECK(grace("0").pod.termination_grace_period == 0s);
    CHECK(grace("-1").pod.termination_grace_period == 1s); // as Kubernetes takes it
    CHECK(grace("9223372036").pod.termination_grace_period == 9223372036s);
    CHECK(messages(grace("9223372037")) ==
          Texts{"spec.terminationGracePeriodSeconds: Invalid value: 9223372037: must be less than "
                "or equal to 9223372036"});
    CHECK(messages(grace("5.5")) ==
          Texts{"spec.terminationGracePeriodSeconds: Invalid value: 5.5: must be an integer"});
}

TEST_CASE("fields that mean something and are not honoured are listed once each, others are not") {
    const PodReading reading = read(one_container(R"(
    imagePullPolicy: Always
    terminationMessagePath: /dev/termination-log
    resources: {limits: {cpu: 1}}
    securityContext: {}
    volumeMounts: []
    stdin: true
    env: [{name: A, valueFrom: {configMapKeyRef: {name: m, key: k}}}, {name: B, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}]
    ports: [{containerPort: 80, hostPort: 8080, hostIP: 0.0.0.0}]
    livenessProbe: {tcpSocket: {port: 80}, perodSeconds: 5}
    lifecycle: {stopSignal: SIGUSR1}
  volumes: [{name: v, emptyDir: {}}]
  nodeSelector: {disk: ssd}
  hostNetwork: true
  activeDeadlineSeconds: null
status: {phase: Running}
extra: 1
)"));
    REQUIRE(messages(reading) == Texts{});
    CHECK(noticed(reading) ==
          Texts{"spec.containers[0].ports[0].hostPort", "spec.containers[0].ports[0].hostIP",
                "spec.containers[0].env[0].valueFrom.configMapKeyRef",
                "spec.containers[0].lifecycle.stopSignal",
                "spec.containers[0].livenessProbe.perodSeconds", "spec.containers[0].resources",
                "spec.containers[0].stdin", "spec.volumes", "spec.hostNetwork", "extra"});
}

TEST_CASE("variables come from ConfigMaps and Secrets, whole or by key") {
    PodContext context;
    probekit::ConfigErrors wrong;
    for (const char* object :
         {"{kind: ConfigMap, metadata: {name: m}, data: {k: plain $(X), a=b: unfit, l: two}}",
          "{kind: Secret, metadata: {name: s}, data: {k: aGVsbG8=, z: AAA=}, stringData: {t: x}}",
          "{kind: ConfigMap, metadata: {name: m, namespace: other}, data: {k: elsewhere}}"})
        context.config.add(parse_documents(std::string{"---\n"} + object).all.at(0).value, wrong);
    REQUIRE(wrong.empty());
    const std::string manifest = one_container(R"yaml(
    args: ["$(A)", "$(P_l)"]
    envFrom: [{configMapRef: {name: m}, prefix: P_}, {secretRef: {name: s}}, {secretRef: {name: none, optional: true}}]
    env:
    - {name: A, valueFrom: {configMapKeyRef: {name: m, key: k}}}
    - {name: B, valueFrom: {secretKeyRef: {name: s, key: k}}}
    - {name: C, value: "$(B) $(P_l)"}
    - {name: D, valueFrom: {configMapKeyRef: {name: m, key: none, optional: true}}}
    - {name: E, valueFrom: {configMapKeyRef: {name: m, key: none}}}
    - {name: F, valueFrom: {secretKeyRef: {name: none, key: k}}}
)yaml");
    const PodReading reading =
        read_pod(parse_documents(manifest).all.at(0).value, with_images, context);
    REQUIRE(messages(reading) == Texts{});
    const ContainerSpec& container = reading.pod.containers[0];
    CHECK(container.environment == Texts{"PROBEKIT_TIME_SCALE=1", "P_k=plain $(X)", "P_l=two",
                                         "k=hello", "t=x", "A=plain $(X)", "B=hello",
                                         "C=hello two"});
    CHECK(container.command == Texts{"bin/nginx", "-q", "plain $(X)", "two"});
    CHECK(noticed(reading) == Texts{"spec.containers[0].env[4].valueFrom.configMapKeyRef",
                                    "spec.containers[0].env[5].valueFrom.secretKeyRef"});

    CHECK(
        messages(read(one_container("    envFrom: [{}, {configMapRef: {}, secretRef: {name: "
                                    "a}}]\n"))) ==
        Texts{
            R"(spec.containers[0].envFrom[0]: Invalid value: "": must specify one of: `configMapRef` or `secretRef`)",
            "spec.containers[0].envFrom[1].configMapRef.name: Required value",
            R"(spec.containers[0].envFrom[1]: Invalid value: "": may not have more than one field specified at a time)"});
    context.config.add(
        parse_documents("kind: Secret\nmetadata: {name: s}\ndata: {a: '!', b: 5}").all.at(0).value,
        wrong);
    REQUIRE(wrong.size() == 2);
    CHECK(wrong[0].message() == R"(data.a: Invalid value: "!": illegal base64 data)");
    CHECK(wrong[1].message() == "data.b: Invalid value: 5: must be a string");
}

TEST_CASE("variables refer to what is known of the pod and its node") {
    const PodReading reading = read(R"yaml(
apiVersion: v1
kind: Pod
metadata: {name: web, labels: {app: shop}, annotations: {probekit.dev/pod-ip: 127.0.0.5}}
spec:
  serviceAccountName: robot
  containers:
  - name: main
    image: nginx
    env:
    - {name: UID_, valueFrom: {fieldRef: {fieldPath: metadata.uid}}}
    - {name: HOST, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
    - {name: IPS, valueFrom: {fieldRef: {fieldPath: status.podIPs}}}
    - {name: ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
    - {name: APP, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
    - {name: NONE, valueFrom: {fieldRef: {fieldPath: "metadata.annotations['none']"}}}
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
)yaml");
    REQUIRE(messages(reading) == Texts{});
    CHECK(reading.notices.empty());
    Texts environment = reading.pod.containers[0].environment;
    REQUIRE(environment.size() == 8);
    CHECK(environment.back().size() > std::string_view{"NODE="}.size());
    environment.pop_back();
    CHECK(environment == Texts{"PROBEKIT_TIME_SCALE=1", "UID_=" + reading.pod.uid, "HOST=127.0.0.5",
                               "IPS=127.0.0.5", "ACCOUNT=robot", "APP=shop", "NONE="});
    CHECK(reading.pod.uid.size() == 36);
    CHECK(read(one_container("    env: [{name: A, valueFrom: {fieldRef: {fieldPath: "
                             "spec.serviceAccountName}}}]\n"))
              .pod.containers[0]
              .environment.back() == "A=default");
}

TEST_CASE("--image finds an image without digest or tag where nothing longer is given") {
    const auto [image, program] = GENERATE(table<std::string, std::string>({
        {"r.io:5000/a/b", "plain"},
        {"r.io:5000/a/b:1", "plain"},
        {"r.io:5000/a/b:2", "tagged"},
        {"r.io:5000/a/b:2@sha256:00", "tagged"},
        {"r.io:5000/a/b@sha256:00", "plain"},
        {"r.io:5000/a/b@sha256:11", "digest"},
    }));
    const Options options{.images = {{"r.io:5000/a/b", {"plain"}},
                                     {"r.io:5000/a/b:2", {"tagged"}},
                                     {"r.io:5000/a/b@sha256:11", {"digest"}},
                                     {"r.io", {"wrong"}}}};
    std::string manifest = one_container("");
    manifest.replace(manifest.find("image: nginx"), 12, "image: '" + image + "'");
    CHECK(read(manifest, options).pod.containers[0].command == Texts{program});
}

TEST_CASE("a command that is no list is one mistake") {
    CHECK(
        messages(read(one_container("    command: cat x\n    livenessProbe: {exec: {command: cat "
                                    "x}}\n"),
                      {})) ==
        Texts{
            R"(spec.containers[0].command: Invalid value: "cat x": must be an array)",
            R"(spec.containers[0].livenessProbe.exec.command: Invalid value: "cat x": must be an array)"});
}

TEST_CASE("short manifests cannot ask for endless text") {
    std::string doubling = "    env:\n    - {name: A0, value: xxxxxxxxxxxxxxxx}\n";
    for (int i = 1; i != 60; ++i) {
        const std::string before = "$(A" + std::to_string(i - 1) + ")";
        doubling += "    - {name: A" + std::to_string(i) + ", value: " + before + before + "}\n";
    }
    CHECK(
        messages(read(one_container(doubling))) ==
        Texts{"spec.containers[0].env: Too long: the variables of all pods take more than 64 MiB"});

    std::string words = "    env: [{name: A, value: " + std::string(1'000'000, 'x') +
                        "}]\n    livenessProbe: {exec: {command: [";
    for (int i = 0; i != 1000; ++i) words += "$(A),";
    CHECK(
        messages(read(one_container(words + "]}}\n"))) ==
        Texts{"spec.containers[0].env: Too long: the variables of all pods take more than 64 MiB"});
}

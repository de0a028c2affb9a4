#!/bin/sh
# Makes the documentation as a site of HTML, in build/site: the pages of docs/ by mkdocs, the reference by Doxygen.
#   docs/build.sh             needs the packages mkdocs and doxygen
set -eu
root=$(dirname "$(dirname "$(realpath "$0")")")
cd "$root"
homepage=$(sed -n 's/^set(probekit_homepage "\(.*\)")/\1/p' CMakeLists.txt)
work=build/docs
rm -rf $work build/site
mkdir -p $work/pages build/site

cp -r docs/. $work/pages
rm $work/pages/build.sh $work/pages/Doxyfile $work/pages/reference.md
cp README.md $work/pages/index.md
cp CHANGELOG.md CONTRIBUTING.md SECURITY.md $work/pages
cp packaging/README.md $work/pages/packages.md
# Links that leave docs/ lead to the sources; those between pages stay.
sed -i 's#](docs/#](#g; s#](packaging/README.md)#](packages.md)#g' $work/pages/index.md $work/pages/CONTRIBUTING.md $work/pages/SECURITY.md
find $work/pages -name '*.md' -exec sed -i \
    -e 's#](\(\.\./\)*\(CHANGELOG\|CONTRIBUTING\|SECURITY\)\.md)#](/\2.md)#g' \
    -e 's#](\.\./packaging/README\.md)#](/packages.md)#g' \
    -e "s#](\(\.\./\)\{1,2\}\(examples\|include\|tests\|LICENSE\|README\)#]($homepage/blob/main/\2#g" \
    -e "s#](\(examples\|LICENSE\|include\|tests\)#]($homepage/blob/main/\1#g" {} +
sed -i "s#](\(vcpkg\|conan\|meson\|xmake\)#]($homepage/blob/main/packaging/\1#g" $work/pages/packages.md
for page in $(find $work/pages -name '*.md'); do # mkdocs wants relative links
    depth=$(echo "${page#$work/pages/}" | tr -cd /)
    up=$(echo "$depth" | sed 's#/#../#g')
    sed -i "s#](/\([A-Za-z]*\.md\))#](${up}\1)#g" "$page"
done

cat >$work/mkdocs.yml <<'CONFIG'
site_name: probekit
site_description: Health probes for C++ programs
docs_dir: pages
site_dir: ../site
strict: true
use_directory_urls: false
theme:
  name: mkdocs
  navigation_depth: 2
  highlightjs: false
extra_css: [wide.css]
markdown_extensions: [tables, fenced_code, toc]
nav:
  - Overview: index.md
  - Getting started: getting-started.md
  - Concepts: concepts.md
  - How to:
      - Wait for a service: how-to/wait-for-a-service.md
      - Keep a back-end set: how-to/backend-set.md
      - Supervise a child: how-to/supervise-a-child.md
      - Coroutines: how-to/coroutines.md
      - Threads: how-to/threads.md
      - Other event loops: how-to/other-event-loops.md
      - Own probe: how-to/own-probe.md
      - Own policy: how-to/own-policy.md
      - Observers: how-to/observers.md
      - Testing: how-to/testing.md
      - No exceptions: how-to/no-exceptions.md
      - Docker: how-to/docker-healthcheck.md
  - Coming from: coming-from.md
  - Questions: faq.md
  - Facts:
      - As in the kubelet: kubelet.md
      - Faults: faults.md
      - Closing: closing.md
      - Costs: benchmarks.md
      - Simulation: simulation.md
      - The supervisor: supervisor.md
      - Glossary: glossary.md
  - Inside:
      - Architecture: architecture.md
      - Decisions: decisions.md
      - How it is tested: testing.md
  - Packages: packages.md
  - Platforms: platforms.md
  - Stability: stability.md
  - Release 0.1.0: release-0.1.0.md
  - Changelog: CHANGELOG.md
  - Contributing: CONTRIBUTING.md
  - Security: SECURITY.md
CONFIG
cat >$work/pages/wide.css <<'CSS'
pre { white-space: pre; overflow-x: auto; }
table { display: block; overflow-x: auto; }
CSS
mkdocs build --quiet --config-file $work/mkdocs.yml

PROBEKIT_VERSION=$(sed -n 's/^#define PROBEKIT_VERSION "\(.*\)"/\1/p' include/probekit/version.hpp)
PROBEKIT_SITE=build/site
export PROBEKIT_VERSION PROBEKIT_SITE
doxygen docs/Doxyfile
echo "build/site/index.html, build/site/reference/index.html"

using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json.Nodes;
using DaprPlatform.Sidecar.Hosting;
using DaprPlatform.Sidecar.Observability;
using DaprPlatform.Sidecar.Pluggable;
using DaprPlatform.Sidecar.Resources;
using DaprPlatform.Sidecar.Secrets;
using Microsoft.Extensions.Logging;

namespace DaprPlatform.Sidecar.Components;

/// <summary>
/// The components of one sidecar by name. Secret stores are loaded first, since the others may refer to them. A component that cannot be initialised is
/// fatal (exit code 1) unless it says <c>ignoreErrors</c>; then it is as if it were not there.
/// </summary>
internal sealed partial class ComponentCatalog(SidecarOptions options, Engine engine, ILoggerFactory loggers, TimeProvider time) : IAsyncDisposable
{
    private static readonly TimeSpan DefaultInitTimeout = TimeSpan.FromSeconds(5);
    private readonly ILogger _logger = loggers.CreateLogger("dapr.runtime.processor");
    private readonly ConcurrentDictionary<string, (LoadedComponent Loaded, IComponent Instance, Resource Resource, ComponentSpec Spec)> _components = new();

    // What is to be looked at again when the resources change: actor state stores beside the one there is, and what waits for a secret store.
    private readonly HashSet<string> _leftOut = new(StringComparer.Ordinal);

    // {uuid} is one per run.
    private readonly string _uuid = Guid.NewGuid().ToString();

    public IEnumerable<LoadedComponent> Loaded => _components.Values.Select(c => c.Loaded).OrderBy(c => c.Name, StringComparer.Ordinal);

    /// <summary>All components of a contract, such as every <c>IStateStore</c>.</summary>
    public IEnumerable<KeyValuePair<string, T>> All<T>() where T : class, IComponent =>
        _components.Where(c => c.Value.Instance is T).OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => KeyValuePair.Create(c.Key, (T)c.Value.Instance));

    public bool TryGet<T>(string name, [NotNullWhen(true)] out T? component) where T : class, IComponent
    {
        component = _components.TryGetValue(name, out var entry) ? entry.Instance as T : null;
        return component is not null;
    }

    /// <summary>The resolved spec of a loaded component; null when there is none of that name.</summary>
    public ComponentSpec? SpecOf(string name) => _components.TryGetValue(name, out var entry) ? entry.Spec : null;

    /// <summary>The resource of a loaded component, as read; null when there is none of that name.</summary>
    public Resource? ResourceOf(string name) => _components.TryGetValue(name, out var entry) ? entry.Resource : null;

    /// <summary>Types that are programs of their own.</summary>
    public PluggableComponents Pluggable { get; set; } = PluggableComponents.Empty;

    /// <summary>Where loading is counted; null counts nothing.</summary>
    public DaprMetrics? Metrics { get; set; }

    /// <summary>Loads and initialises all Component resources.</summary>
    /// <exception cref="ResourceException">Two have one name.</exception>
    /// <exception cref="ComponentException">One cannot be initialised.</exception>
    public async Task LoadAsync(IEnumerable<Resource> resources, IReadOnlyList<string> deniedTypes, CancellationToken cancellationToken)
    {
        var wanted = Wanted(resources, deniedTypes);
        foreach (var resource in wanted)
            await AddAsync(resource, cancellationToken).ConfigureAwait(false);

        // A secret store may take secrets of one that is loaded after it.
        for (var before = int.MaxValue; _leftOut.Count > 0 && _leftOut.Count < before;)
        {
            before = _leftOut.Count;
            foreach (var resource in wanted.Where(r => _leftOut.Remove(r.Name)).ToArray())
                await AddAsync(resource, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Takes over what has changed between two states of the resources: what went is closed, what changed is closed and made anew, the others go on.</summary>
    /// <exception cref="ResourceException">Two have one name.</exception>
    /// <exception cref="ComponentException">One cannot be initialised.</exception>
    public async Task ReloadAsync(IEnumerable<Resource> before, IEnumerable<Resource> after, IReadOnlyList<string> deniedTypes, CancellationToken cancellationToken)
    {
        var old = before.Where(r => r.Kind == "Component").ToDictionary(r => r.Name, StringComparer.Ordinal);
        var wanted = Wanted(after, deniedTypes);
        foreach (var name in old.Keys.Except(wanted.Select(r => r.Name)))
            await RemoveAsync(name).ConfigureAwait(false);
        // Those that are no actor state stores first: one of them may have been it until now.
        foreach (var resource in wanted.OrderBy(r => IsMarked(r) ? 1 : 0))
        {
            if (old.TryGetValue(resource.Name, out var known) && JsonNode.DeepEquals(known.Document, resource.Document) && !_leftOut.Contains(resource.Name))
                continue;
            _leftOut.Remove(resource.Name);
            if (IsMarked(resource) && _components.Values.FirstOrDefault(c => IsActorStore(c.Spec) && c.Spec.Name != resource.Name).Spec is { } existing)
            {
                // While the sidecar runs it is no reason to end; it is looked at again at the next change.
                LogSecondActorStore(resource.Name, existing.Name);
                _leftOut.Add(resource.Name);
                continue;
            }

            await AddAsync(resource, cancellationToken).ConfigureAwait(false);
        }
    }

    // In the order in which they are to be made.
    private List<Resource> Wanted(IEnumerable<Resource> resources, IReadOnlyList<string> deniedTypes)
    {
        var components = resources.Where(r => r.Kind == "Component").ToList();
        for (var i = 0; i < components.Count; i++)
        {
            if (components.Take(i).FirstOrDefault(c => c.Name == components[i].Name) is { } existing)
                throw new ResourceException($"failed to load components: duplicate definition of Component name {Describe(components[i])} with existing {Describe(existing)}");
        }

        var wanted = new List<Resource>(components.Count);
        foreach (var resource in components.OrderBy(c => (c.Spec.Text("type") ?? "").StartsWith("secretstores.", StringComparison.Ordinal) ? 0 : 1))
        {
            var type = resource.Spec.Text("type") ?? "";
            if (deniedTypes.Any(d => d == type || d == $"{type}/{resource.Spec.Text("version") ?? "v1"}"))
                LogDenied(resource.Name, type);
            else
                wanted.Add(resource);
        }

        return wanted;
    }

    /// <summary>Makes, initialises and publishes one component; replaces one of the same name after closing it.</summary>
    public async Task AddAsync(Resource resource, CancellationToken cancellationToken)
    {
        var typeName = resource.Spec.Text("type") ?? "";
        var version = resource.Spec.Text("version") ?? "v1";
        var ignoreErrors = resource.Spec.Flag("ignoreErrors") == true;
        try
        {
            if (!ComponentTypes.IsCategory(typeName))
                throw new ComponentException($"incorrect type {typeName}");
            if ((Pluggable.Find(typeName, version) ?? ComponentTypes.Find(typeName, version)) is not { } type)
            {
                var missing = typeName.StartsWith("middleware.http.", StringComparison.Ordinal) ? $"process component {resource.Name} error: HTTP middleware {typeName}/{version} has not been registered" : $"couldn't find {ComponentTypes.CategoryOf(typeName)} {typeName}/{version}";
                throw new ComponentException($"[CREATE_COMPONENT_FAILURE]: initialization error occurred for {resource.Name} ({typeName}/{version}): {missing}");
            }

            var resolved = await ResolveAsync(resource, type, cancellationToken).ConfigureAwait(false);
            await RemoveAsync(resource.Name).ConfigureAwait(false);
            if (resolved is not { } spec)
            {
                _leftOut.Add(resource.Name);
                return;
            }

            if (IsActorStore(spec) && _components.Values.FirstOrDefault(c => IsActorStore(c.Spec)).Spec is { } first)
                throw new ComponentException(InitFailed($"detected duplicate actor state store: {first.Name} and {resource.Name}"));
            var timeout = Durations.TryParseGo(resource.Spec.Text("initTimeout"), out var configured) ? configured : DefaultInitTimeout;
            var component = type.Create(spec);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            limit.CancelAfter(timeout);
            try
            {
                await component.InitAsync(limit.Token).WaitAsync(timeout, time, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e)
            {
                await component.DisposeAsync().ConfigureAwait(false);
                throw e switch
                {
                    TimeoutException or OperationCanceledException when !cancellationToken.IsCancellationRequested => new ComponentException($"init timeout for component {resource.Name} exceeded after {timeout.TotalSeconds}s"),
                    ComponentException or ResourceException => new ComponentException(InitFailed(e.Message), e),
                    _ => e,
                };
            }

            _components[resource.Name] = (new LoadedComponent(resource.Name, typeName, version, component.Capabilities, type.StandsFor), component, resource, spec);
            Metrics?.ComponentLoaded();
            Metrics?.ComponentInitialised(typeName);
            LogLoaded(resource.Name, typeName, version);
        }
        catch (Exception e) when (e is ComponentException or ResourceException || (e is not OperationCanceledException && ignoreErrors))
        {
            // Of a component that cannot be changed nothing is left: neither the old one nor the new.
            await RemoveAsync(resource.Name).ConfigureAwait(false);
            Metrics?.ComponentFailed(typeName, "init", resource.Name);
            var message = e.Message.StartsWith("incorrect type", StringComparison.Ordinal) ? e.Message : InitFailed(e.Message);
            if (!ignoreErrors)
                throw new ComponentException($"process component {resource.Name} error: {message}", e);
            LogIgnored(message);
        }

        // daprd says it twice of what fails in the component itself.
        string InitFailed(string reason) => $"[INIT_COMPONENT_FAILURE]: initialization error occurred for {resource.Name} ({typeName}/{version}): {reason}";
    }

    /// <summary>Takes a component away and closes it.</summary>
    public async Task RemoveAsync(string name)
    {
        if (_components.TryRemove(name, out var removed))
            await removed.Instance.DisposeAsync().ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var name in _components.Keys.ToArray())
            await RemoveAsync(name).ConfigureAwait(false);
        await Pluggable.DisposeAsync().ConfigureAwait(false);
    }

    private static bool IsActorStore(ComponentSpec spec) => spec.Type.StartsWith("state.", StringComparison.Ordinal) && spec.Flag("actorStateStore");

    private static bool IsMarked(Resource resource) => (resource.Spec.Text("type") ?? "").StartsWith("state.", StringComparison.Ordinal)
        && (resource.Spec.Array("metadata") ?? []).OfType<JsonObject>().Any(m => "actorStateStore".Equals(m.Text("name"), StringComparison.OrdinalIgnoreCase) && "true".Equals(m.Text("value"), StringComparison.OrdinalIgnoreCase));

    private static string Describe(Resource r) => $"{r.Name} ({r.Spec.Text("type")}/{r.Spec.Text("version") ?? "v1"})";

    // Null where a secret store it refers to is not there: the component is left out, the sidecar goes on.
    private async Task<ComponentSpec?> ResolveAsync(Resource resource, ComponentType type, CancellationToken cancellationToken)
    {
        var metadata = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var secretNames = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var item in (resource.Spec.Array("metadata") ?? []).OfType<JsonObject>())
        {
            var name = item.Text("name") ?? "";
            string value;
            if (item.Object("secretKeyRef") is { } secret)
            {
                var storeName = resource.Document.Object("auth")?.Text("secretStore") ?? "";
                var secretName = secret.Text("name") ?? "";
                if (storeName.Length == 0)
                {
                    value = "";
                }
                else if (TryGet<ISecretStore>(storeName, out var store))
                {
                    value = await SecretAsync(store, secretName, secret.Text("key") ?? secretName, cancellationToken).ConfigureAwait(false);
                    secretNames[name] = secretName;
                }
                else
                {
                    LogNoSecretStore(resource.Name, storeName);
                    return null;
                }
            }
            else if (item.Text("envRef") is { Length: > 0 } variable)
            {
                value = EnvironmentReference(variable);
            }
            else
            {
                value = Placeholders(item.Member("value") is JsonNode node ? node.Text() ?? node.ToJsonString() : "");
            }

            if (!metadata.TryAdd(name, value))
                throw new ComponentException($"metadata property {name} is given twice");
        }

        return new ComponentSpec(resource.Name, type.Type, resource.Spec.Text("version") ?? "v1", metadata, secretNames, options, engine, loggers, time);
    }

    private static async Task<string> SecretAsync(ISecretStore store, string name, string key, CancellationToken cancellationToken)
    {
        try
        {
            var secret = await store.GetAsync(name, new Dictionary<string, string>(), cancellationToken).ConfigureAwait(false);
            return secret?.GetValueOrDefault(key) ?? "";
        }
        catch (SecretNotFoundException)
        {
            return "";
        }
    }

    /// <summary>What an envRef stands for; empty where the variable is not set or may not be referred to.</summary>
    public string EnvironmentReference(string variable)
    {
        var forbidden = variable == "APP_API_TOKEN" || variable.StartsWith("DAPR_", StringComparison.OrdinalIgnoreCase) || variable.Contains(' ', StringComparison.Ordinal);
        if (options.Variable("DAPR_ENV_KEYS") is { } allowed)
            forbidden |= !allowed.Split(' ', StringSplitOptions.RemoveEmptyEntries).Contains(variable);
        if (!forbidden)
            return options.Variable(variable) ?? "";
        LogForbiddenVariable(variable);
        return "";
    }

    private string Placeholders(string value)
    {
        if (!value.Contains('{', StringComparison.Ordinal))
            return value;
        if (value.Contains("{podName}", StringComparison.Ordinal))
            value = value.Replace("{podName}", options.Variable("POD_NAME") ?? throw new ComponentException("failed to parse metadata: property {podName} is used, but POD_NAME is not set"), StringComparison.Ordinal);
        return value.Replace("{uuid}", _uuid, StringComparison.Ordinal)
            .Replace("{namespace}", $"{options.Namespace}.{options.AppId}", StringComparison.Ordinal)
            .Replace("{appID}", options.AppId, StringComparison.Ordinal);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Component loaded: {Name} ({Type}/{Version})")]
    private partial void LogLoaded(string name, string type, string version);

    [LoggerMessage(Level = LogLevel.Error, Message = "Ignoring error processing component: {Error}")]
    private partial void LogIgnored(string error);

    [LoggerMessage(Level = LogLevel.Error, Message = "component {Name} is not loaded: {Existing} is the actor state store already, and only one is allowed")]
    private partial void LogSecondActorStore(string name, string existing);

    [LoggerMessage(Level = LogLevel.Warning, Message = "component {Name} of type {Type} is denied by the configuration")]
    private partial void LogDenied(string name, string type);

    [LoggerMessage(Level = LogLevel.Error, Message = "component {Name} references a secret store that isn't loaded: {Store}")]
    private partial void LogNoSecretStore(string name, string store);

    [LoggerMessage(Level = LogLevel.Warning, Message = "environment variable {Variable} may not be referenced by a component; its value is empty")]
    private partial void LogForbiddenVariable(string variable);
}

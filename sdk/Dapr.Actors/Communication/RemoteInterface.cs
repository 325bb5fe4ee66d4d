using System.Collections.Concurrent;
using System.Reflection;

namespace Dapr.Actors.Communication;

/// <summary>An actor interface as it is called remotely. Its shape is checked once.</summary>
internal sealed class RemoteInterface
{
    private static readonly ConcurrentDictionary<Type, RemoteInterface> Known = new();

    private readonly Dictionary<MethodInfo, RemoteMethod> _methods;

    private RemoteInterface(Type type)
    {
        if (!type.IsInterface || !typeof(IActor).IsAssignableFrom(type))
            throw new ArgumentException($"'{type}' is not an interface derived from {nameof(IActor)}.", nameof(type));
        if (type.ContainsGenericParameters)
            throw new ArgumentException($"Actor interface '{type}' must not be open.", nameof(type));
        // Inherited methods are called through the derived interface too, under the id of the one that declares them.
        _methods = type.GetInterfaces().Append(type)
            .SelectMany(declaring => declaring.GetMethods(BindingFlags.Public | BindingFlags.Instance))
            .ToDictionary(method => method, method => new RemoteMethod(method));
        var overloaded = _methods.Values.GroupBy(method => method.Name).FirstOrDefault(group => group.Count() > 1);
        if (overloaded is not null)
            throw new ArgumentException($"Actor interface '{type}' has several methods '{overloaded.Key}'; they cannot be told apart by name.", nameof(type));
    }

    public IReadOnlyCollection<RemoteMethod> Methods => _methods.Values;

    /// <exception cref="ArgumentException">It cannot be called remotely.</exception>
    public static RemoteInterface Of(Type type) => Known.GetOrAdd(type, static type => new RemoteInterface(type));

    public RemoteMethod Find(MethodInfo method) => _methods[method];
}

/// <summary>A method of an actor interface.</summary>
internal sealed class RemoteMethod
{
    private readonly MethodInvoker _invoker;
    private readonly Func<Task, object?>? _readResult;
    private readonly Lazy<RemoteBodyTypes> _bodyTypes;

    public RemoteMethod(MethodInfo method)
    {
        Method = method;
        var declaring = method.DeclaringType!;
        var where = $"Method '{declaring}.{method.Name}' of an actor interface";
        if (method.IsGenericMethod)
            throw new ArgumentException($"{where} must not be generic.");
        var returnType = method.ReturnType;
        if (returnType.IsGenericType && returnType.GetGenericTypeDefinition() == typeof(Task<>))
        {
            ResultType = returnType.GenericTypeArguments[0];
            _readResult = typeof(RemoteMethod).GetMethod(nameof(ReadResult), BindingFlags.NonPublic | BindingFlags.Static)!
                .MakeGenericMethod(ResultType).CreateDelegate<Func<Task, object?>>();
        }
        else if (returnType != typeof(Task))
        {
            throw new ArgumentException($"{where} must return Task or Task<T>.");
        }

        var parameters = method.GetParameters();
        if (parameters.Any(parameter => parameter.ParameterType.IsByRef))
            throw new ArgumentException($"{where} must not take reference parameters.");
        TakesCancellation = parameters is [.., { ParameterType: var last }] && last == typeof(CancellationToken);
        Parameters = TakesCancellation ? parameters[..^1] : parameters;
        if (Parameters.Any(parameter => parameter.ParameterType == typeof(CancellationToken)))
            throw new ArgumentException($"{where} can take a CancellationToken only as its last parameter.");
        InterfaceId = Crc64.IdOf(declaring.Namespace + declaring.Name);
        MethodId = Crc64.IdOf(declaring.Name + declaring.Namespace + method.Name);
        _invoker = MethodInvoker.Create(method);
        _bodyTypes = new(() => new RemoteBodyTypes(this));
    }

    public MethodInfo Method { get; }

    public string Name => Method.Name;

    public int InterfaceId { get; }

    public int MethodId { get; }

    /// <summary>Those that are sent.</summary>
    public ParameterInfo[] Parameters { get; }

    public bool TakesCancellation { get; }

    /// <summary>Null if the method has no result.</summary>
    public Type? ResultType { get; }

    public RemoteBodyTypes BodyTypes => _bodyTypes.Value;

    /// <param name="actor">Has the method.</param>
    /// <param name="arguments">Of all parameters, the cancellation included.</param>
    public async Task<object?> InvokeAsync(object actor, object?[] arguments)
    {
        var task = (Task)_invoker.Invoke(actor, arguments.AsSpan())!;
        await task.ConfigureAwait(false);
        return _readResult?.Invoke(task);
    }

    private static object? ReadResult<T>(Task task) => ((Task<T>)task).Result;
}

using System.Reflection;
using System.Reflection.Emit;
using System.Runtime.Serialization;
using System.Xml;

namespace Dapr.Actors.Communication;

/// <summary>
/// Arguments and result of a method as data contracts in binary XML: a wrapper around a type made at run time, whose members are the parameters.
/// </summary>
internal sealed class RemoteBodyTypes
{
    public const string Namespace = "urn:actors";

    private static readonly ModuleBuilder Module =
        AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("Dapr.Actors.Bodies"), AssemblyBuilderAccess.Run).DefineDynamicModule("Bodies");

    private readonly RemoteMethod _method;
    private readonly FieldInfo[] _arguments;
    private readonly FieldInfo? _result;
    private readonly DataContractSerializer _requests;
    private readonly DataContractSerializer _responses;

    public RemoteBodyTypes(RemoteMethod method)
    {
        _method = method;
        var request = Define(method, "ReqBody", [.. method.Parameters.Select(parameter => (parameter.Name!, parameter.ParameterType))]);
        _arguments = [.. method.Parameters.Select(parameter => request.GetField(parameter.Name!)!)];
        _requests = new DataContractSerializer(typeof(Wrapper), [request]);
        var response = Define(method, "RespBody", method.ResultType is { } type ? [(RemoteBody.ResultName, type)] : []);
        _result = response.GetField(RemoteBody.ResultName);
        _responses = new DataContractSerializer(typeof(Wrapper), [response]);
        RequestType = request;
        ResponseType = response;
    }

    private Type RequestType { get; }

    private Type ResponseType { get; }

    public byte[] WriteArguments(object?[] arguments)
    {
        var body = Activator.CreateInstance(RequestType)!;
        for (var i = 0; i < _arguments.Length; i++)
            _arguments[i].SetValue(body, arguments[i]);
        return Write(_requests, new Wrapper { Value = body });
    }

    public void ReadArguments(byte[] body, object?[] arguments)
    {
        var value = Read(_requests, body);
        for (var i = 0; i < _arguments.Length; i++)
            arguments[i] = _arguments[i].GetValue(value);
    }

    public byte[] WriteResult(object? result)
    {
        var body = Activator.CreateInstance(ResponseType)!;
        _result!.SetValue(body, result);
        return Write(_responses, new Wrapper { Value = body });
    }

    public object? ReadResult(byte[] body) => _result!.GetValue(Read(_responses, body));

    public static byte[] Write(DataContractSerializer serializer, object value)
    {
        using var stream = new MemoryStream();
        using (var writer = XmlDictionaryWriter.CreateBinaryWriter(stream))
            serializer.WriteObject(writer, value);
        return stream.ToArray();
    }

    private object Read(DataContractSerializer serializer, byte[] body)
    {
        using var reader = XmlDictionaryReader.CreateBinaryReader(body, XmlDictionaryReaderQuotas.Max);
        return (serializer.ReadObject(reader) as Wrapper)?.Value
            ?? throw new SerializationException($"The body of a call of '{_method.Name}' has no value.");
    }

    private static Type Define(RemoteMethod method, string suffix, (string Name, Type Type)[] members)
    {
        var name = method.Name + suffix;
        lock (Module)
        {
            var unique = $"{method.Method.DeclaringType!.AssemblyQualifiedName!.Replace(',', '_')}.{name}";
            if (Module.GetType(unique) is { } known)
                return known;
            var type = Module.DefineType(unique, TypeAttributes.Public | TypeAttributes.Class | TypeAttributes.Sealed);
            type.SetCustomAttribute(Attribute<DataContractAttribute>((nameof(DataContractAttribute.Name), name), (nameof(DataContractAttribute.Namespace), Namespace)));
            foreach (var member in members)
                type.DefineField(member.Name, member.Type, FieldAttributes.Public).SetCustomAttribute(Attribute<DataMemberAttribute>());
            return type.CreateType();
        }
    }

    private static CustomAttributeBuilder Attribute<T>(params (string Name, object Value)[] properties) => new(
        typeof(T).GetConstructor([])!,
        [],
        [.. properties.Select(property => typeof(T).GetProperty(property.Name)!)],
        [.. properties.Select(property => property.Value)]);

    [DataContract(Name = "WrappedMsgBody", Namespace = Namespace)]
    internal sealed class Wrapper
    {
        [DataMember(Name = "value")]
        public object? Value { get; set; }
    }
}

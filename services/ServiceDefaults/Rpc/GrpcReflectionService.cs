using DaprPlatform.ServiceDefaults.Rpc.Reflection;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Microsoft.AspNetCore.Routing;

namespace DaprPlatform.ServiceDefaults.Rpc;

/// <summary>Tells tools like grpcurl what services there are and how their messages look (https://grpc.io/docs/guides/reflection/). For development.</summary>
internal sealed class GrpcReflectionService(EndpointDataSource endpoints) : ServerReflection.ServerReflectionBase
{
    private readonly Lazy<Index> _index = new(() => new Index(ServiceDescriptors.Of(endpoints)));

    public override async Task ServerReflectionInfo(
        IAsyncStreamReader<ServerReflectionRequest> requestStream, IServerStreamWriter<ServerReflectionResponse> responseStream, ServerCallContext context)
    {
        while (await requestStream.MoveNext(context.CancellationToken))
            await responseStream.WriteAsync(Answer(requestStream.Current), context.CancellationToken);
    }

    private ServerReflectionResponse Answer(ServerReflectionRequest request)
    {
        var index = _index.Value;
        var response = new ServerReflectionResponse { ValidHost = request.Host, OriginalRequest = request };
        switch (request.MessageRequestCase)
        {
            case ServerReflectionRequest.MessageRequestOneofCase.ListServices:
                response.ListServicesResponse = new ListServiceResponse();
                response.ListServicesResponse.Service.AddRange(index.Services.Select(name => new ServiceResponse { Name = name }));
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.FileByFilename:
                Describe(index.Files.GetValueOrDefault(request.FileByFilename), $"There is no file {request.FileByFilename}.");
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.FileContainingSymbol:
                Describe(index.Symbols.GetValueOrDefault(request.FileContainingSymbol), $"There is no symbol {request.FileContainingSymbol}.");
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.AllExtensionNumbersOfType when index.Symbols.ContainsKey(request.AllExtensionNumbersOfType):
                // No message of ours is extended.
                response.AllExtensionNumbersResponse = new ExtensionNumberResponse { BaseTypeName = request.AllExtensionNumbersOfType };
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.AllExtensionNumbersOfType:
                Fail(StatusCode.NotFound, $"There is no type {request.AllExtensionNumbersOfType}.");
                break;
            case ServerReflectionRequest.MessageRequestOneofCase.FileContainingExtension:
                Fail(StatusCode.NotFound, $"{request.FileContainingExtension.ContainingType} has no extension {request.FileContainingExtension.ExtensionNumber}.");
                break;
            default:
                Fail(StatusCode.InvalidArgument, "The request asks for nothing.");
                break;
        }
        return response;

        void Describe(FileDescriptor? file, string otherwise)
        {
            if (file is null)
            {
                Fail(StatusCode.NotFound, otherwise);
                return;
            }
            response.FileDescriptorResponse = new FileDescriptorResponse();
            response.FileDescriptorResponse.FileDescriptorProto.AddRange(WithDependencies(file).Select(f => f.SerializedData));
        }

        void Fail(StatusCode code, string message) => response.ErrorResponse = new ErrorResponse { ErrorCode = (int)code, ErrorMessage = message };
    }

    private static IReadOnlyCollection<FileDescriptor> WithDependencies(FileDescriptor file)
    {
        var found = new List<FileDescriptor> { file };
        for (var i = 0; i < found.Count; i++)
            found.AddRange(found[i].Dependencies.Where(d => !found.Contains(d)));
        return found;
    }

    /// <summary>What the services and everything that they use is called, and where it is described.</summary>
    private sealed class Index
    {
        public Index(IReadOnlyList<ServiceDescriptor> services)
        {
            Services = [.. services.Select(s => s.FullName)];
            foreach (var file in services.SelectMany(s => WithDependencies(s.File)).DistinctBy(f => f.Name))
            {
                Files[file.Name] = file;
                foreach (var service in file.Services)
                {
                    Symbols[service.FullName] = file;
                    foreach (var method in service.Methods)
                        Symbols[method.FullName] = file;
                }
                foreach (var type in file.EnumTypes)
                    Symbols[type.FullName] = file;
                foreach (var type in file.MessageTypes)
                    Add(type, file);
            }
        }

        public IReadOnlyList<string> Services { get; }

        public Dictionary<string, FileDescriptor> Files { get; } = new(StringComparer.Ordinal);

        public Dictionary<string, FileDescriptor> Symbols { get; } = new(StringComparer.Ordinal);

        private void Add(MessageDescriptor type, FileDescriptor file)
        {
            Symbols[type.FullName] = file;
            foreach (var field in type.Fields.InDeclarationOrder())
                Symbols[field.FullName] = file;
            foreach (var inner in type.EnumTypes)
                Symbols[inner.FullName] = file;
            foreach (var inner in type.NestedTypes)
                Add(inner, file);
        }
    }
}
